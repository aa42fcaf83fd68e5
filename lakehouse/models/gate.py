"""The one gate to `champion` of a score: what a new model must show before it speaks, and why it may not.

    schema        it reads the features that the stream computes
    leakage       no feature knows the future, and it has learned nothing of the days it is judged on
    freshness     the data it was trained on is not old
    quality       its Brier score is better than the champion's on the same rows of the newest test slice, paired, with the whole 95 % interval; where the
                  champion was trained long ago, not worse is enough. Where there is none that can be judged, better than the best baseline on all test
                  slices together, with the whole interval, and on the newest
    calibration   what is predicted is near what is observed, in tenths of the rows and in all of them together, but for what chance leaves; at a touch, and
                  as time passes. A model that is off by gate.max_calibration_error or less passes at 95 % or more, of however few rows
    latency       it answers a thousand rows in time

Champion and challenger are judged as they were when they had seen nothing of the slice: see `Chosen` in lakehouse/models/judgement.py. Further checks
(of drift, of fairness) are handed in. Pure but for the clock that times the answers.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from lakehouse.config import GateConfig
from lakehouse.errors import ModelError
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models import evaluation
from lakehouse.models.evaluation import Array, Estimate
from lakehouse.models.examples import Examples
from lakehouse.models.score_model import ScoreModel

ROWS_TIMED = 1000
TIMES = 5  # the quickest counts: others may be at work


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. `said`: what was found and what was expected, for a person."""

    name: str
    is_met: bool
    said: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """champion: version that it was held to; None = the baseline."""

    checks: tuple[Check, ...]
    champion: str | None = None

    @property
    def passes(self) -> bool:
        return all(check.is_met for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is rejected; () = it is not."""
        return tuple(f"{check.name}: {check.said}" for check in self.checks if not check.is_met)

    def table(self) -> str:
        """For a person."""
        return "\n".join(f"  {'met' if c.is_met else 'NOT MET':<8} {c.name:<12} {c.said}" for c in self.checks)


@dataclass(frozen=True, kw_only=True)
class Challenger:
    """What knocks. parameters: of the model as it was before it saw the slice. learned_until: last day that any of it knows. data_until: newest
    day of the data of which the model that is to be published was made. over_baseline: Brier score of the best baseline less that of what was selected, on all
    test slices together. leaking: features that know the future.
    """

    parameters: Mapping[str, Any]
    over_baseline: Estimate
    learned_until: date
    data_until: date
    leaking: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reigning:
    """The champion, as it was judged when it was trained. trained_on: newest day of its data."""

    version: str
    model: ScoreModel
    learned_until: date
    trained_on: date


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The newest test slice: whom the question is asked of, what came of it, what the best baseline says. day: its cut-off. newest_day: the lake's."""

    known: Examples
    label: Array
    baseline: Array
    day: date
    newest_day: date


def gate(
    challenger: Challenger,
    champion: Reigning | None,
    newest: Slice,
    limits: GateConfig,
    *,
    seed: int,
    also: Sequence[Check] = (),
) -> Verdict:
    """What is found of each check. A model that cannot be read at all is judged by nothing else."""
    version = None if champion is None else champion.version
    try:
        model = ScoreModel.from_parameters(challenger.parameters, "of the challenger")
    except (ModelError, KeyError, TypeError) as error:
        return Verdict(checks=(Check(name="schema", is_met=False, said=str(error)),), champion=version)
    p = model.probability(newest.known.rows)
    checks = (
        Check(name="schema", is_met=True, said=f"reads the {len(FEATURES)} features of the stream"),
        _leakage(challenger, newest),
        _freshness(challenger, newest, limits),
        _over_baseline(challenger, p, newest)
        if champion is None
        else _over_champion(p, champion, newest, limits, seed),
        *_calibration(p, newest, limits, seed),
        _latency(model, newest.known.rows, limits),
        *also,
    )
    return Verdict(checks=checks, champion=version)


def _leakage(challenger: Challenger, newest: Slice) -> Check:
    if challenger.leaking:
        said = f"{', '.join(challenger.leaking)}: another figure when what came later is taken away, expected the same"
        return Check(name="leakage", is_met=False, said=said)
    is_met = challenger.learned_until <= newest.day
    said = f"has learned of days up to {challenger.learned_until}, judged on what came after {newest.day}"
    return Check(name="leakage", is_met=is_met, said=said)


def _freshness(challenger: Challenger, newest: Slice, limits: GateConfig) -> Check:
    days = (newest.newest_day - challenger.data_until).days
    said = f"its data ends {days} days before the lake's, expected {limits.max_data_age_days} at most"
    return Check(name="freshness", is_met=days <= limits.max_data_age_days, said=said)


def _over_baseline(challenger: Challenger, p: Array, newest: Slice) -> Check:
    found = challenger.over_baseline
    of_newest = evaluation.brier(newest.baseline, newest.label) - evaluation.brier(p, newest.label)
    said = (
        f"Brier gain over the best baseline {found} on all test slices, expected above 0 with the whole interval; "
        f"{of_newest:.4f} on the newest, expected above 0"
    )
    return Check(name="quality", is_met=bool(found.low > 0 and of_newest > 0), said=said)


def _over_champion(p: Array, champion: Reigning, newest: Slice, limits: GateConfig, seed: int) -> Check:
    if champion.learned_until > newest.day:
        said = f"champion {champion.version} has learned of days up to {champion.learned_until}, expected none after {newest.day}: train again later"
        return Check(name="quality", is_met=False, said=said)
    held_to, whom, least = champion.model.probability(newest.known.rows), f"champion {champion.version}", 0.0
    if (newest.newest_day - champion.trained_on).days >= limits.refresh_days:
        least = -limits.margin * evaluation.brier(held_to, newest.label)
        whom += f", of {champion.trained_on}"
    person = np.unique(newest.known.person, return_inverse=True)[1]
    gain = evaluation.brier_gain(p, held_to, newest.label, seed, person)
    said = f"Brier gain over {whom} {gain}, expected above {least:.4f} with the whole interval"
    return Check(name="quality", is_met=bool(gain.low > least), said=said)


def _calibration(p: Array, newest: Slice, limits: GateConfig, seed: int) -> list[Check]:
    found = []
    for name, rows in (("as time passes", ~newest.known.is_touch), ("at a touch", newest.known.is_touch)):
        if not rows.any():
            continue
        error = evaluation.expected_calibration_error(evaluation.reliability(p[rows], newest.label[rows]))
        bias = float(p[rows].mean() - newest.label[rows].mean())
        chance = evaluation.calibration_chance(p[rows], seed)
        most, most_bias = (limits.max_calibration_error + one for one in (chance.error, chance.bias))
        said = (
            f"{name}: error {error:.4f} of {int(rows.sum()):,} rows, expected {most:.4f} at most (of it chance: {chance.error:.4f}); "
            f"in the mean {bias:+.4f}, expected {most_bias:.4f} at most (of it chance: {chance.bias:.4f})"
        )
        found.append(Check(name="calibration", is_met=error <= most and abs(bias) <= most_bias, said=said))
    return found


def _latency(model: ScoreModel, rows: Array, limits: GateConfig) -> Check:
    asked = np.resize(rows, (ROWS_TIMED, rows.shape[1]))
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        model.probability(asked)
        times.append(1000 * (time.perf_counter() - began))
    said = f"{min(times):.1f} ms for {ROWS_TIMED:,} rows, expected {limits.max_latency_ms} at most"
    return Check(name="latency", is_met=min(times) <= limits.max_latency_ms, said=said)
