"""The choice is made on one slice and judged on another; no signal is called no signal."""

import numpy as np
import pytest

from lakehouse.models.evaluation import sigmoid
from lakehouse.models.judgement import BASE_RATE, RECENCY, Slice, baselines, judge


def drawn(seed: int, *, signal: float, count: int = 4000) -> Slice:
    """Outcomes by a true logit; `logistic` sees it through noise, `boosted` through twice as much."""
    random = np.random.default_rng(seed)
    truth = random.normal(-1.0, 1.0, count)
    y = (random.random(count) < sigmoid(-1.0 + signal * (truth + 1.0))).astype(float)
    logits = {"logistic": truth + random.normal(0, 0.5, count), "boosted": truth + random.normal(0, 1.0, count)}
    return Slice(logits=logits, label=y, recency=random.integers(-1, 3, count).astype(float))


def test_with_signal_the_better_contender_is_champion_and_beats_the_baseline() -> None:
    found = judge(drawn(1, signal=1.5), drawn(2, signal=1.5), seed=3)
    assert (found.champion, found.beats_baseline) == ("logistic", True)
    assert found.calibration_error < 0.03
    assert found.metrics["logistic"]["brier"].value < found.metrics[RECENCY]["brier"].value


def test_without_signal_the_champion_is_not_called_better_than_the_baseline() -> None:
    found = judge(drawn(1, signal=0.0), drawn(2, signal=0.0), seed=3)
    assert not found.beats_baseline
    assert "NOT shown to be better" in found.table()
    assert found.metrics[found.champion]["brier"].value == pytest.approx(
        found.metrics[BASE_RATE]["brier"].value, abs=2e-3
    )


def test_of_equal_contenders_the_first_named_is_champion() -> None:
    validation, test = drawn(1, signal=1.0), drawn(2, signal=1.0)
    same = [
        Slice(
            logits=dict.fromkeys(("logistic", "boosted"), part.logits["logistic"]),
            label=part.label,
            recency=part.recency,
        )
        for part in (validation, test)
    ]
    assert judge(*same, seed=3).champion == "logistic"


def test_baselines_know_the_validation_slice_only() -> None:
    nothing: dict[str, np.ndarray] = {}
    validation = Slice(logits=nothing, label=np.array([1.0, 0, 0, 0]), recency=np.array([0.0, 0, 1, 1]))
    test = Slice(logits=nothing, label=np.ones(3), recency=np.array([0.0, 1, 2]))
    found = baselines(validation, test)
    assert found[BASE_RATE].tolist() == [0.25] * 3
    assert found[RECENCY].tolist() == pytest.approx([1.25 / 3, 0.25 / 3, 0.25])
