"""Offers and scores by the groups that conf declares: who is chosen, how often rightly, and whether what is predicted of each group is true.

    scores   purchase_propensity as the champion says it of the newest day whose horizon is over. Chosen: from next_best_action.likely_propensity on, where
             a profile is recommended to. Outcome: an order within the horizon.
    offers   of the people whom the decision service decided about: who was given it at least once. No outcome is asked for: what an offer does to
             whom is what an experiment tells.

Groups are columns of gold.contacts, gold.activation or gold.features, as they are now. They are read to be counted; no model reads them. Reads those who may be
learned from for training.drift, of the offers everybody decided about: an audit that leaves out whoever said no would not see what happens to them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.experiments.lake_readout import decisions_by_person
from lakehouse.fairness.audit import Array, Audit, Names, audit
from lakehouse.fairness.correction import Shifts, learn_shifts
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from lakehouse.profiles.gold.features import GOLD_FEATURES
from lakehouse.tables.fairness import OPS_FAIRNESS
from lakehouse.training.known_profiles import KnownProfiles

SCORE, OFFER, ANY_OFFER = "score", "offer", "any offer"
ALL: Final = "(all)"  # the row of a subject and attribute as a whole
SOURCES = {table.name: table for table in (GOLD_CONTACTS, GOLD_ACTIVATION, GOLD_FEATURES)}
MOST_GROUPS = 50  # of more, an attribute tells people apart, not groups
_NOTHING, _MOMENT = "none", "moment:"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Of one subject: by profile_id, who was chosen; outcome and predicted where they are known."""

    kind: str
    subject: str
    version: str | None
    day: date
    selected: pd.Series
    outcome: pd.Series | None = None
    predicted: pd.Series | None = None


@dataclass(frozen=True, kw_only=True)
class Price:
    """Of a correction, on people it was not learned from: share of right choices by the model's own probability and after it, and what is left between groups. shifts: see Shifts."""

    shifts: Shifts
    accuracy_before: float
    accuracy_after: float
    difference_before: float
    difference_after: float


def audits(lake: Lake, *, with_price: bool) -> Iterator[dict[str, Any]]:
    """Rows of ops.fairness, without when they were written.

    Raises:
        ConfigError: fairness.groups names no column of SOURCES, or one of more than MOST_GROUPS values.
        ModelError: the lake has no events.
    """
    settings = lake.config.fairness
    groups = {name: group_of(lake, name) for name in settings.groups}
    for one in (*scores(lake), *_offers(lake)):
        for name, told in groups.items():
            names = told.reindex(one.selected.index).to_numpy(dtype=object)
            outcome, predicted = (None if x is None else x.to_numpy(np.float64) for x in (one.outcome, one.predicted))
            found = audit(names, one.selected.to_numpy(np.float64), outcome, predicted, settings.least_rows)
            priced = price_of(one, told, lake.config) if with_price else None
            yield from _rows(one, name, found, priced, lake.config.next_best_action.likely_propensity)


def group_of(lake: Lake, name: str) -> pd.Series:
    """The group of each profile, as text, by profile_id. `name`: <table>.<column>, of fairness.groups or fairness.corrects."""
    table_name, _, column = name.rpartition(".")
    table = SOURCES.get(table_name)
    stored = None if table is None else lake.read(table)
    if stored is None or column not in stored.columns:
        raise ConfigError(
            f"[fairness] groups, corrects: no column {name!r}, expected one of {', '.join(SOURCES)}, such as gold.contacts.country. Mend conf/base.toml"
        )
    rows = stored.select("profile_id", F.col(f"`{column}`").cast("string").alias("group")).toPandas()
    if rows["group"].nunique() > MOST_GROUPS:
        raise ConfigError(
            f"[fairness] groups, corrects: {name} has {rows['group'].nunique()} values, expected {MOST_GROUPS} or fewer. Declare a feature that puts them into bands"
        )
    return rows.set_index("profile_id")["group"]


def scores(lake: Lake) -> Iterator[Chosen]:
    """purchase_propensity, where it has a champion. selected: by what gold says, corrected where it is; predicted: the model's own probability."""
    config, score = lake.config, PURCHASE_PROPENSITY
    champion = Champions.now(config).scores.get(score.column)
    if champion is None:
        return
    people = KnownProfiles(lake, purpose=config.training.drift, most=config.drift.max_profiles, job="fairness")
    day = people.last_whole_day - timedelta(days=config.scores.horizon_days)
    then, now = people.at([day, people.last_whole_day], champion.value.alias("predicted"), "frequency")
    known = then.dropna()
    later = now["frequency"].reindex(known.index)
    told = known["predicted"].to_numpy(np.float64)
    if isinstance(champion, ScoreModel) and champion.corrects and champion.corrects == config.fairness.corrects:
        told = champion.corrected(told, group_of(lake, champion.corrects).reindex(known.index).to_numpy(dtype=object))
    yield Chosen(
        kind=SCORE,
        subject=score.column,
        version=champion.version,
        day=day,
        selected=pd.Series((told >= config.next_best_action.likely_propensity).astype(float), index=known.index),
        outcome=(later > known["frequency"]).astype(float),
        predicted=known["predicted"],
    )


def _offers(lake: Lake) -> Iterator[Chosen]:
    """Every offer that was given, and any of them; lists of products and moments are no offers."""
    decided = decisions_by_person(lake.read).where("kind = 'decision'")
    is_offer = (F.col("action") != _NOTHING) & ~F.col("action").contains(",") & ~F.col("action").startswith(_MOMENT)
    given = decided.select(
        "unit", F.when(is_offer, F.col("action")).alias("offer"), F.to_date("occurred_at").alias("day")
    )
    rows = given.groupBy("unit", "offer").agg(F.max("day").alias("day")).toPandas()  # a row per person and offer
    if rows.empty:
        return
    people, day = sorted(set(rows["unit"])), max(rows["day"])
    offers = rows.dropna(subset=["offer"])
    for name in (ANY_OFFER, *sorted(set(offers["offer"]))):
        who = set(offers["unit"] if name == ANY_OFFER else offers.loc[offers["offer"] == name, "unit"])
        selected = pd.Series([float(person in who) for person in people], index=people)
        yield Chosen(kind=OFFER, subject=name, version=None, day=day, selected=selected)


def price_of(one: Chosen, told: pd.Series, config: Config) -> Price | None:
    """Learned from half of the people, by chance, and priced on the rest; null where no outcome is known, or no two groups are compared."""
    if one.outcome is None or one.predicted is None:
        return None
    names, score, outcome = learned_from(one, told)
    threshold, least = config.next_best_action.likely_propensity, config.fairness.least_rows
    before = (score >= threshold).astype(np.float64)
    learned = np.random.default_rng(config.fairness.seed).permutation(len(score)) % 2 == 0
    shifts = learn_shifts(names[learned], score[learned], outcome[learned], threshold, least)
    rest = ~learned
    after = (shifts.apply(names[rest], score[rest]) >= threshold).astype(np.float64)
    apart = [
        audit(names[rest], chosen, least_rows=least).demographic_parity_difference for chosen in (before[rest], after)
    ]
    if apart[0] is None or apart[1] is None:
        return None
    return Price(
        shifts=shifts,
        accuracy_before=float((before[rest] == outcome[rest]).mean()),
        accuracy_after=float((after == outcome[rest]).mean()),
        difference_before=apart[0],
        difference_after=apart[1],
    )


def learned_from(one: Chosen, told: pd.Series) -> tuple[Names, Array, Array]:
    """Groups, probabilities and outcomes of the people of a subject that has them."""
    assert one.outcome is not None
    assert one.predicted is not None
    names = told.reindex(one.selected.index).to_numpy(dtype=object)
    return names, one.predicted.to_numpy(np.float64), one.outcome.to_numpy(np.float64)


def _rows(
    one: Chosen, attribute: str, found: Audit, priced: Price | None, threshold: float
) -> Iterator[dict[str, Any]]:
    head = {
        "kind": one.kind,
        "subject": one.subject,
        "attribute": attribute,
        "looked_at_day": one.day,
        "model_version": one.version,
    }
    yield {
        **head,
        "group": ALL,
        "row_count": len(one.selected),
        "selection_rate": float(one.selected.mean()),
        "demographic_parity_difference": found.demographic_parity_difference,
        "disparate_impact": found.disparate_impact,
        "equalized_odds_difference": found.equalized_odds_difference,
        "correction_accuracy_change": None if priced is None else priced.accuracy_after - priced.accuracy_before,
        "corrected_difference": None if priced is None else priced.difference_after,
    }
    for name, of in found.groups.items():
        cut = None if priced is None else priced.shifts.cut(name, threshold)
        yield {
            **head,
            "group": name,
            "row_count": of.rows,
            "is_compared": of.is_compared,
            "selection_rate": of.selection_rate,
            "true_positive_rate": of.true_positive_rate,
            "false_positive_rate": of.false_positive_rate,
            "mean_predicted": of.predicted,
            "mean_observed": of.observed,
            "corrected_threshold": cut,
        }


def keep(lake: Lake, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Into ops.fairness; of a day that was looked at before, the newer look."""
    lake.create_missing([OPS_FAIRNESS])
    told = pa.Table.from_pylist([{**row, "looked_at": now} for row in rows], schema=arrow_schema(OPS_FAIRNESS))
    lake.upsert(told, OPS_FAIRNESS)


def told(row: Mapping[str, Any]) -> str:
    """One line, for a person."""
    head = f"{row['kind']:<6} {row['subject']:<22} {row['attribute']:<26} {row['group']:<16} {row['row_count']:>8,} chosen {row['selection_rate']:.4f}"
    names = (
        "disparate_impact", "demographic_parity_difference", "equalized_odds_difference", "true_positive_rate", "false_positive_rate",
        "mean_predicted", "mean_observed", "correction_accuracy_change", "corrected_difference", "corrected_threshold",
    )  # fmt: skip
    return ", ".join(
        [head, *(f"{name.replace('_', ' ')} {row[name]:.4f}" for name in names if row.get(name) is not None)]
    )
