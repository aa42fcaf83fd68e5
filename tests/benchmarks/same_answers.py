"""Who else says what gold says, and how far apart they are: for tests/benchmarks/no_skew.py.

features       gold.features beside a rebuild, and beside DuckDB over the events
scores         gold.scores beside a rebuild, the models' plain arrays, the documents of the online store, and GET /api/profiles
the past       features of an instant, where what came after it is another
"""

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from deltalake import DeltaTable
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config.paths import FEATURES as DECLARED
from lakehouse.events.declared_properties import with_declared
from lakehouse.features.definition import Features
from lakehouse.features.point_in_time import FEATURES, end_of_day, features
from lakehouse.features.windows import features_at
from lakehouse.lake.delta import Lake
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import ScoreModel
from lakehouse.models.value_model import READ, ValueModel, histories
from lakehouse.online.engines import open_store, store_url
from lakehouse.online.online_profile import PROFILE, OnlineProfile
from lakehouse.profiles import rollup
from lakehouse.profiles.declared_scores import CHURN_RISK, CLV, PURCHASE_PROPENSITY
from lakehouse.profiles.differences import compare, summarise
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.profiles.gold.scores import gold_scores
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.rebuild import Rebuilt
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.queries.declarations import declarations
from lakehouse.tables.contract import MONEY
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP
from lakehouse.training.fairness_audit import group_of
from serving.__main__ import make_service
from serving.app import create_app
from tests import feature_oracle as oracle

COMPARED = tuple(score.column for score in (PURCHASE_PROPENSITY, CHURN_RISK, CLV))
SHIFT, PROBE = timedelta(days=40), timedelta(days=2)


def of_features(lake: Lake, rebuilt: Rebuilt) -> dict[str, Any]:
    table, expected = next((one, rows) for one, rows in rebuilt.tables.items() if one.name == GOLD_FEATURES.name)
    found = summarise(table, compare(table, lake.read(table), expected))
    entries = yaml.safe_load(DECLARED.read_text())["features"]
    raw = DeltaTable(lake.path(SILVER_EVENTS)).to_pyarrow_table(filters=[("is_bot", "=", False)])
    for name, type_ in (("p_size", pa.string()), ("p_rating", pa.float64())):  # of the oracle's own events
        raw = raw.append_column(name, pa.nulls(raw.num_rows, type_))
    rows = DeltaTable(lake.path(table)).to_pyarrow_table()
    moments = [(row["profile_id"], row["as_of"]) for row in rows.select(["profile_id", "as_of"]).to_pylist()]
    placed = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id").toArrow().to_pylist()
    members = [(row["actor_id"], row["profile_id"]) for row in placed]
    names = [entry["name"] for entry in entries]
    other = oracle.differences(rows, oracle.brute_force(raw, members, moments, entries), names)
    for line in other[:5]:
        print(line, flush=True)
    return {
        "rows": found.rows,
        "features": len(names),
        "differing_from_batch": found.total,
        "differing_from_duckdb": len(other),
    }


def of_scores(lake: Lake, rebuilt: Rebuilt, champions: Champions, clock: Callable[[], datetime]) -> dict[str, Any]:
    """Largest distance of gold.scores from everyone who says them, too, over all people and scores."""
    table = gold_scores(lake.config.fairness.corrects)
    stored = told_by(lake.read(table))
    answers, asked, withheld = answered(lake, clock)
    return {
        "people": len(stored),
        "not_null": {name: sum(row[name] is not None for row in stored.values()) for name in COMPARED},
        "apart_from_batch": apart(stored, told_by(rebuilt.tables[table])),
        "apart_from_plain_arrays": apart(stored, by_plain_arrays(lake, champions)),
        "apart_from_online_store": apart(stored, in_documents(lake)),
        "apart_from_api": apart({profile: stored[profile] for profile in answers}, answers),
        "asked": asked,
        "answers": len(answers),
        "withheld": withheld,
    }


Told = Mapping[str, Mapping[str, float | None]]
"""The scores of each profile."""


def told_by(rows: DataFrame) -> Told:
    return {row["profile_id"]: row for row in rows.select("profile_id", *COMPARED).toArrow().to_pylist()}


def apart(one: Told, other: Told) -> float:
    """Infinite where somebody has no row, or one of them alone says null."""
    if one.keys() != other.keys():
        return math.inf
    pairs = [(row[name], other[profile][name]) for profile, row in one.items() for name in COMPARED]
    return max((math.inf if None in pair else abs(pair[0] - pair[1]) for pair in pairs if pair != (None, None)), default=0.0)  # fmt: skip


def by_plain_arrays(lake: Lake, champions: Champions) -> Told:
    """The models by numpy, without a worker of Spark's, over features of the instants gold was scored at."""
    known = features(*figures_of(lake, lake.read(SILVER_EVENTS)), lake.read(gold_scores())).toArrow()
    rows = np.column_stack([known[name].to_numpy() for name in FEATURES]).astype(np.float64)
    told: dict[str, list[float | None]] = {}
    for name in COMPARED:
        model = champions.scores[name]
        if isinstance(model, ScoreModel):
            values, speaks = model.probability(rows), model.speaks_of(rows)
            if model.corrects:
                groups = group_of(lake, model.corrects).reindex(known["profile_id"].to_pylist())
                values = model.corrected(values, groups.to_numpy(dtype=object))
        else:
            assert isinstance(model, ValueModel)
            speaks = known["frequency"].to_numpy() > 0
            values = np.zeros(len(rows))
            values[speaks] = np.round(model.model.of(histories(*(known[one].to_numpy()[speaks] for one in READ))), 2)
        told[name] = [float(value) if is_told else None for value, is_told in zip(values, speaks, strict=True)]
    profiles = known["profile_id"].to_pylist()
    return {profile: {name: told[name][at] for name in COMPARED} for at, profile in enumerate(profiles)}


def in_documents(lake: Lake) -> Told:
    with closing(open_store(store_url(lake.config))) as store:
        stored = [OnlineProfile.decode(data) for _, data in store.scan(PROFILE)]
    return {one.profile_id: {name: one.figures[name] for name in COMPARED} for one in stored}


def answered(lake: Lake, clock: Callable[[], datetime]) -> tuple[Told, int, int]:
    """What GET /api/profiles says of everybody with a cookie or a user id; how many they are, and of how many it may say nothing."""
    edges = lake.read(SILVER_IDENTITY_EDGES).where(F.col("identifier_type").isin("user_id", "anonymous_id"))
    placed = edges.join(lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id"), on="actor_id")
    known_by = placed.groupBy("profile_id").agg(F.max(F.struct("identifier_type", "identifier_token")).alias("by"))
    service = make_service(lake.config, clock=clock)
    service.visitors.look()
    told: dict[str, Mapping[str, float | None]] = {}
    withheld = 0
    api = TestClient(create_app(service, nothing_beside), base_url="http://127.0.0.1:8080")
    rows = known_by.toArrow().to_pylist()
    for row in rows:
        answer = api.get(f"/api/profiles/{row['by']['identifier_type']}/{row['by']['identifier_token']}").json()
        if answer["profile_id"] is not None and answer["withheld"]:
            withheld += 1
        elif answer["profile_id"] is not None:
            told[answer["profile_id"]] = {name: answer["profile"][name] for name in COMPARED}
    service.outbox.close()
    for part in (service.pending, service.facts):
        part.close()
        part.store.close()
    return told, len(rows), withheld


@asynccontextmanager
async def nothing_beside(_: FastAPI) -> AsyncIterator[None]:
    """The service without what follows topics: a profile is read from the store."""
    yield


def figures_of(lake: Lake, sent: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Activity and orders of profiles, of these events."""
    leaves = leaf(with_day(bare(sent)), rates=lake.config.money.rates)
    placed = lake.read(SILVER_IDENTITY_MAP)
    activity = rollup.profile_activity(SILVER_ACTIVITY_DAILY.transform(leaves), placed)
    return activity, rollup.profile_orders(SILVER_ORDERS.transform(leaves), placed)


def bare(sent: DataFrame) -> DataFrame:
    """Of people, without their traits: no figure reads them."""
    nothing = {"traits": F.lit(None).cast("map<string,string>"), "source": F.lit(None).cast("string")}
    return sent.where(~F.col("is_bot")).withColumns(nothing)


def of_the_past(lake: Lake, kept: Features, day: date) -> dict[str, Any]:
    """Profiles whose features at the end of the day are others where what came later is another."""
    sent = lake.read(with_declared(SILVER_EVENTS, declarations(lake.config).properties))
    known = end_of_day(day)
    is_later = F.col("occurred_at") > F.lit(known)

    def moved(by: timedelta) -> DataFrame:
        money = F.when(is_later, F.col("revenue") * 2).otherwise(F.col("revenue")).cast(MONEY)
        at = F.when(is_later, F.col("occurred_at") + F.lit(by)).otherwise(F.col("occurred_at"))
        return sent.withColumns({"revenue": money, "occurred_at": at})

    as_sent, later, earlier = (at_instant(lake, rows, kept, known) for rows in (sent, moved(SHIFT), moved(-PROBE)))
    return {
        "profiles": len(as_sent),
        "moved_events": sent.where(is_later).count(),
        "changed": differing(as_sent, later),
        "changed_by_the_probe": differing(as_sent, earlier),
    }


def at_instant(lake: Lake, sent: DataFrame, kept: Features, known: datetime) -> Mapping[str, list[dict[str, Any]]]:
    """Of each profile the features that models read, and those that are declared, at one instant."""
    of_models = features(*figures_of(lake, sent), known)
    placed = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
    leaves = leaf(with_day(bare(sent)), rates=lake.config.money.rates, features=kept)
    sums = SILVER_FEATURE_DAYS.transform(leaves).join(placed, on="actor_id")
    moments = of_models.select("profile_id", "as_of")
    found: dict[str, list[dict[str, Any]]] = {}
    for rows in (of_models, features_at(sums, moments, kept).drop("due_at")):
        for row in rows.toArrow().to_pylist():
            found.setdefault(row["profile_id"], []).append(row)
    return found


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(one.get(profile) != other.get(profile) for profile in {*one, *other})
