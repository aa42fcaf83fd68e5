"""Drift of the lake: features, scores and segment sizes against some days before, and predictions against what came of them.

What is compared is what models read and say, by the code that the stream uses. A breach asks for trainings by their jobs; what they learn is a challenger
(lakehouse/models). Champions and profiles are never changed here. Reads those who may be learned from for training.drift.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from lakehouse.config import Config, DriftConfig, ScoresConfig
from lakehouse.drift.bins import binned
from lakehouse.drift.calibration import calibration
from lakehouse.drift.shift import shift
from lakehouse.drift.verdicts import Look, verdicts
from lakehouse.features.point_in_time import FEATURES
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.models.registry import SEGMENTS, TRAINED_BY, Champions
from lakehouse.models.value_model import READ as READ_BY_CLV
from lakehouse.profiles import rollup
from lakehouse.profiles.declared_scores import CLV, PURCHASE_PROPENSITY, SCORES, Score
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.tables.drift import OPS_DRIFT
from lakehouse.tables.identity import SILVER_IDENTITY_MAP
from lakehouse.training.known_profiles import KnownProfiles
from lakehouse.training.score_targets import TARGETS

FEATURE, SCORE, SEGMENT_SIZES, CALIBRATION = "feature", "score", "segment_sizes", "calibration"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look, not judged yet. rows: of the reference, and of now. effect_over: the largest effect over what matters. asks_for: jobs, if it is drift."""

    kind: str
    subject: str
    day: date
    reference_day: date | None
    version: str | None
    rows: tuple[int, int]
    asks_for: tuple[str, ...]
    p: float | None = None
    effect_over: float = 0.0
    psi: float | None = None
    ks: float | None = None
    calibration_error: float | None = None


def look(lake: Lake, now: datetime) -> list[dict[str, Any]]:
    """Rows of ops.drift, without when they were written, most surprising first.

    Raises:
        ModelError: the lake has no events.
    """
    settings = lake.config.drift
    people = KnownProfiles(lake, purpose=lake.config.training.drift, most=settings.max_profiles, job="drift")
    champions = Champions.now(lake.config)
    matured = _matured(people, champions, lake.config.scores)
    snapshots = Snapshots.at(
        people, champions, {people.last_whole_day - timedelta(days=settings.reference_days), *matured.values()}
    )
    random = np.random.default_rng(settings.seed)
    seen = [
        *_of_columns(snapshots, champions, settings, random),
        _of_segments(lake, snapshots.day, settings, now, random),
        *_of_calibration(snapshots, champions, matured, lake.config, random),
    ]
    judged = verdicts([Look(effect_over=one.effect_over, p=one.p) for one in seen], settings.false_alarm_rate)
    rows = [
        _row(one, is_drifted=verdict.is_drifted, p_adjusted=verdict.p_adjusted)
        for one, verdict in zip(seen, judged, strict=True)
    ]
    return sorted(rows, key=lambda row: (row["p_value"] is None, row["p_value"] or 0.0, -(row["psi"] or 0.0)))


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """FEATURES of profiles and what champions say of them, by profile_id, at the end of `day`, the newest whole one, and of some days before."""

    day: date
    frames: Mapping[date, pd.DataFrame]

    @classmethod
    def at(cls, people: KnownProfiles, champions: Champions, before: Set[date]) -> "Snapshots":
        days = sorted({people.last_whole_day, *before})
        values = [champions.scores[score.column].value.alias(score.column) for score in _speaking(champions)]
        return cls(day=days[-1], frames=dict(zip(days, people.at(days, *FEATURES, *values), strict=True)))


def _speaking(champions: Champions) -> list[Score]:
    return [score for score in SCORES if score.column in champions.scores]


def _matured(people: KnownProfiles, champions: Champions, settings: ScoresConfig) -> dict[str, date]:
    """By score that has a champion, the newest day whose horizon is over; without those of before the lake's first day."""
    days = {
        column: people.last_whole_day - timedelta(days=target.question(settings).horizon_days)
        for column, target in TARGETS.items()
        if column in champions.scores
    }
    return {column: day for column, day in days.items() if day >= people.first_day}


def shifted(reference: pd.Series, now: pd.Series, settings: DriftConfig, random: np.random.Generator) -> dict[str, Any]:
    """The figures of a look at one column; none where either side has fewer than drift.min_rows."""
    if min(len(reference), len(now)) < settings.min_rows:
        return {}
    found = shift(binned(reference, now), random)
    over = max(found.psi / settings.min_psi, (found.ks or 0.0) / settings.min_ks)
    return {"p": found.p, "psi": found.psi, "ks": found.ks, "effect_over": over}


def _of_columns(
    snapshots: Snapshots, champions: Champions, settings: DriftConfig, random: np.random.Generator
) -> Iterator[Seen]:
    before = snapshots.day - timedelta(days=settings.reference_days)
    scores = {score.column: score for score in _speaking(champions)}
    for name in (*FEATURES, *scores):
        score = scores.get(name)
        reference, current = (_known(snapshots.frames[day][name], score) for day in (before, snapshots.day))
        yield Seen(
            kind=FEATURE if score is None else SCORE,
            subject=name,
            day=snapshots.day,
            reference_day=before,
            version=None if score is None else champions.scores[name].version,
            rows=(len(reference), len(current)),
            asks_for=_readers(name) if score is None else _trainer(score),
            **shifted(reference, current, settings, random),
        )


def _known(values: pd.Series, score: Score | None) -> pd.Series:
    """Money as numbers. Of a score only those it speaks of: null is not what it said of the others."""
    known = values if score is None else values.dropna()
    return known if score is not None and score.type == "string" else known.astype(float)


def _of_segments(lake: Lake, day: date, settings: DriftConfig, now: datetime, random: np.random.Generator) -> Seen:
    """In which segment buyers are now, and were so many days ago by the clock: validity is of when gold was written. Prospects are left out: they pile up, and
    models of a release before said nothing of them.
    """
    table = lake.read(GOLD_SEGMENTS)
    orders = rollup.profile_orders(lake.read(SILVER_ORDERS), lake.read(SILVER_IDENTITY_MAP))
    sizes = []
    for instant in (now - timedelta(days=settings.reference_days), now):
        is_open = (F.col("valid_from") <= F.lit(instant)) & (
            F.col("valid_to").isNull() | (F.col("valid_to") > F.lit(instant))
        )
        buyers = orders.where(F.col("ordered_at") <= F.lit(instant)).select("profile_id")
        held = table.where(is_open).join(buyers, on="profile_id", how="left_semi")
        rows = held.groupBy("segment").count().toPandas()  # a row per segment
        sizes.append(pd.Series(np.repeat(rows["segment"].to_numpy(dtype=object), rows["count"]), dtype="object"))
    return Seen(
        kind=SEGMENT_SIZES,
        subject="segments",
        day=day,
        reference_day=day - timedelta(days=settings.reference_days),
        version=None,
        rows=(len(sizes[0]), len(sizes[1])),
        asks_for=(TRAINED_BY[SEGMENTS],),
        **shifted(sizes[0], sizes[1], settings, random),
    )


def _of_calibration(
    snapshots: Snapshots, champions: Champions, matured: Mapping[str, date], config: Config, random: np.random.Generator
) -> Iterator[Seen]:
    """What champions say of a day whose horizon is over, against who ordered within it. It is kind to a champion that learned from it."""
    settings, now = config.drift, snapshots.frames[snapshots.day]["frequency"]
    for column, day in matured.items():
        target = TARGETS[column]
        asked = snapshots.frames[day].dropna(subset=[column])
        ordered = np.asarray(now.reindex(asked.index) > asked["frequency"], dtype=np.float64)
        seen: dict[str, Any] = {}
        if len(asked) >= settings.min_rows:
            outcome = 1.0 - ordered if target.question(config.scores).is_absence else ordered
            found = calibration(asked[column].to_numpy(np.float64), outcome, random)
            over = found.error / settings.min_calibration_error
            seen = {"p": found.p, "calibration_error": found.error, "effect_over": over}
        yield Seen(
            kind=CALIBRATION,
            subject=column,
            day=day,
            reference_day=None,
            version=champions.scores[column].version,
            rows=(len(asked), len(asked)),
            asks_for=_trainer(target.score),
            **seen,
        )


def _trainer(score: Score) -> tuple[str, ...]:
    return (score.trained_by,) if score.trained_by else ()


def _readers(feature: str) -> tuple[str, ...]:
    """Jobs whose models read the feature."""
    of_clv = _trainer(CLV) if feature in READ_BY_CLV else ()
    return (*_trainer(PURCHASE_PROPENSITY), *of_clv)


def _row(seen: Seen, *, is_drifted: bool | None, p_adjusted: float | None) -> dict[str, Any]:
    return {
        "kind": seen.kind,
        "subject": seen.subject,
        "looked_at_day": seen.day,
        "reference_day": seen.reference_day,
        "model_version": seen.version,
        "reference_rows": seen.rows[0],
        "current_rows": seen.rows[1],
        "psi": seen.psi,
        "ks": seen.ks,
        "calibration_error": seen.calibration_error,
        "p_value": seen.p,
        "p_adjusted": p_adjusted,
        "is_drifted": is_drifted,
        "asks_for": " ".join(seen.asks_for) if is_drifted and seen.asks_for else None,
    }


def keep(lake: Lake, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Into ops.drift; of a day that was looked at before, the newer look."""
    lake.create_missing([OPS_DRIFT])
    told = pa.Table.from_pylist([{**row, "looked_at": now} for row in rows], schema=arrow_schema(OPS_DRIFT))
    lake.upsert(told, OPS_DRIFT)


def told(row: Mapping[str, Any]) -> str:
    """One line, for a person."""
    verdict = {True: "DRIFTED", False: "as before", None: "too few rows"}[row["is_drifted"]]
    figures = [
        f"{name} {row[name]:.4f}" for name in ("psi", "ks", "calibration_error", "p_adjusted") if row[name] is not None
    ]
    rows = f"{row['reference_rows']:,} -> {row['current_rows']:,} profiles"
    return f"{verdict:<13} {row['kind']:<14} {row['subject']:<22} {rows:<28} {', '.join(figures)}".rstrip()


def asked_for(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Subjects that drifted, by the job that is to train because of them."""
    jobs: dict[str, list[str]] = {}
    for row in rows:
        for job in (row["asks_for"] or "").split():
            jobs.setdefault(job, []).append(row["subject"])
    return jobs


def is_asked(lake: Lake, job: str) -> bool:
    """Whether the newest look at drift asks for the job. A lake whose drift was never looked at asks for nothing."""
    lake.create_missing([OPS_DRIFT])
    table = lake.read(OPS_DRIFT)
    newest = table.agg(F.max("looked_at").alias("at"))
    rows = (
        table.join(newest, on=F.col("looked_at") == F.col("at")).select("subject", "asks_for").collect()
    )  # a row per subject
    return job in asked_for([row.asDict() for row in rows])
