"""Where a profile is as time passes, against brute force: the cheapest group at each of very many instants."""

import itertools

import numpy as np
import pytest

from lakehouse.models.grouping import BISECTING, KMEANS, LEARNED, MIXTURE, Group, Grouping
from lakehouse.models.segment_path import DAY_MICROS, LEAST_STAY, NEVER, QUARTER_MICROS, Stays, stays

MEAN, DEVIATION = 3.0, 1.2
STEP = 2e-4
LOGS = np.arange(0.0, float(np.log1p(2_000.0)), STEP)  # ln(1 + days), to five years and a half
SINCE = 1_767_225_600_000_000  # 2026-01-01, in microseconds


def learned(kind: str, seed: int, k: int = 6) -> Grouping:
    random = np.random.default_rng(seed)
    points = random.normal(0, 1, (400, 3)) * random.uniform(0.3, 1.5, (400, 1)) + random.integers(-1, 2, (400, 3))
    return LEARNED[kind](points, k, seed)


def by_brute_force(grouping: Grouping, other: np.ndarray) -> list[tuple[float, int]]:
    """(ln(1 + days) from which on, group) of the stays that last; of the last one it is not asked how long."""
    points = np.column_stack([(LOGS - MEAN) / DEVIATION, np.repeat(other[None], len(LOGS), axis=0)])
    cheapest = grouping.labels(points)
    runs = [
        (LOGS[places[0]], LOGS[places[-1]] + STEP, int(label))
        for label, places in (
            (label, [place for place, _ in run])
            for label, run in itertools.groupby(enumerate(cheapest), key=lambda one: one[1])
        )
    ]
    lasting = [
        (begins, label) for begins, ends, label in runs if ends - begins >= LEAST_STAY + 2 * STEP or ends == runs[-1][1]
    ]
    doubtful = any(abs(ends - begins - LEAST_STAY) < 2 * STEP for begins, ends, _ in runs[:-1])
    return [] if doubtful else lasting


def micros(log: float) -> int:
    return int(np.expm1(log) * DAY_MICROS)


def at(told: Stays, log: float) -> tuple[list[int], list[int]]:
    rows = len(told.begins)
    now, due = told.at(np.full(rows, SINCE), np.full(rows, SINCE + micros(log)))
    return now.tolist(), due.tolist()


@pytest.mark.parametrize("kind", [KMEANS, BISECTING, MIXTURE])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_segment_and_next_change_are_those_of_brute_force(kind: str, seed: int) -> None:
    grouping = learned(kind, seed)
    others = np.random.default_rng(seed).normal(0, 1.5, (25, 2))
    told = stays(grouping.groups, MEAN, DEVIATION, others)
    random, compared = np.random.default_rng(9), 0
    truths = [by_brute_force(grouping, other) for other in others]
    for log in [0.0, *random.uniform(0, LOGS[-1] - 0.5, 40)]:
        now, due = at(told, log)
        for row, truth in enumerate(truths):
            if any(abs(begins - log) < 3 * STEP for begins, _ in truth[1:]) or not truth:
                continue
            begun = [label for begins, label in truth if begins <= log] or [truth[0][1]]
            later = [begins for begins, label in truth if begins > log and label != begun[-1]]
            assert now[row] == begun[-1]
            if later:
                assert abs(due[row] - SINCE - micros(later[0])) < micros(later[0] + 2 * STEP) - micros(
                    later[0] - STEP
                ) + (QUARTER_MICROS)
            else:
                assert due[row] == NEVER or due[row] > SINCE + micros(LOGS[-1]) - DAY_MICROS
            compared += 1
    assert compared > 500
    assert len({label for truth in truths for _, label in truth}) > 2
    assert max(len(truth) for truth in truths) > 2


@pytest.mark.parametrize("kind", [KMEANS, MIXTURE])
def test_looked_at_only_when_due_it_is_what_it_is_looked_at_each_quarter_of_an_hour(kind: str) -> None:
    """The stream looks at a row when it is due; it must not have been another one before, and it must be another one then."""
    others = np.random.default_rng(4).normal(0, 1.5, (20, 2))
    told = stays(learned(kind, 4).groups, MEAN, DEVIATION, others)
    since = SINCE + np.random.default_rng(5).integers(0, DAY_MICROS, 20)
    held, due = told.at(since, since)
    looks = 0
    for quarter in range(1, 4 * 24 * 120):
        as_of = np.full(20, SINCE + quarter * QUARTER_MICROS)
        now, next_due = told.at(since, as_of)
        is_due = as_of >= due
        assert np.array_equal(now != held, is_due & (as_of > since)), quarter
        held, due = np.where(is_due, now, held), np.where(is_due, next_due, due)
        assert (next_due > as_of).all()
        looks += int(is_due.sum())
    assert 20 < looks < 20 * 12


@pytest.mark.parametrize("kind", [KMEANS, BISECTING, MIXTURE])
def test_no_stay_is_short_and_by_centres_nobody_comes_back(kind: str) -> None:
    others = np.random.default_rng(6).normal(0, 1.5, (300, 2))
    told = stays(learned(kind, 6, k=8).groups, MEAN, DEVIATION, others)
    for begins, labels in zip(told.begins, told.labels, strict=True):
        logs = np.log1p(begins[begins < NEVER] / DAY_MICROS)
        path = [label for label, _ in itertools.groupby(labels[begins < NEVER])]
        assert len(logs) < 3 or min(np.diff(logs[1:])) >= LEAST_STAY - 1e-9
        assert kind == MIXTURE or len(set(path)) == len(path)


def three(*centres: float) -> tuple[Group, ...]:
    return tuple(Group(centre=(centre, 0.0, 0.0)) for centre in centres)


def test_a_stay_that_would_soon_be_over_is_not_begun() -> None:
    """Of three centres in a row the one between is the nearest for as long as the others are apart by half."""
    nobody = np.zeros((1, 2))
    for apart, path in ((0.08, [0, 2]), (0.12, [0, 1, 2])):  # its stay is as long as that; a tenth is asked for
        told = stays(three(1.0, 1.0 + apart, 1.0 + 2 * apart), 0.0, 1.0, nobody)
        assert told.labels[0][told.begins[0] < NEVER].tolist() == path
    told = stays(three(-1.0, 0.05, 0.1), 0.0, 1.0, nobody)  # the first would be over within two hours of the order
    assert at(told, 0.0) == ([2], [NEVER])


def test_a_group_that_is_as_cheap_for_an_instant_does_not_cut_a_stay_in_two() -> None:
    touching = Group(centre=(1.125, 0.0, 0.0), factor=((2.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    told = stays((touching, *three(1.0, 1.125, 1.25)), 0.0, 1.0, np.zeros((1, 2)))
    assert told.labels[0][told.begins[0] < NEVER].tolist() == [1, 2, 3]


def test_a_change_is_exact_and_due_at_the_next_quarter_of_an_hour() -> None:
    told = stays(three(0.0, 2 * float(np.log(11.0))), 0.0, 1.0, np.zeros((1, 2)))  # after ten days
    since, changes = np.array([SINCE + 7 * 60_000_000]), SINCE + 7 * 60_000_000 + 10 * DAY_MICROS
    for after, group in ((-2, 0), (2, 1)):
        assert told.at(since, np.array([changes + after]))[0].tolist() == [group]
    assert told.at(since, since)[1].tolist() == [SINCE + 10 * DAY_MICROS + QUARTER_MICROS]


def test_a_clock_that_stands_goes_back_or_jumps_gives_what_it_gives_to_who_never_looked_before() -> None:
    others = np.random.default_rng(8).normal(0, 1.5, (30, 2))
    groups, since = learned(MIXTURE, 8).groups, np.full(30, SINCE)
    told = stays(groups, MEAN, DEVIATION, others)
    for days in (30, 30, -400, 3_650, 0, 300_000):
        as_of = since + days * DAY_MICROS
        assert np.array_equal(told.at(since, as_of), stays(groups, MEAN, DEVIATION, others).at(since, as_of))
    assert np.array_equal(told.at(since, since - 400 * DAY_MICROS)[0], told.at(since, since)[0])  # an order to come


def test_a_row_is_the_same_whoever_is_beside_it() -> None:
    others = np.random.default_rng(3).normal(0, 1.5, (57, 2))
    groups = learned(MIXTURE, 3).groups
    together = stays(groups, MEAN, DEVIATION, others)
    for row in range(len(others)):
        alone = stays(groups, MEAN, DEVIATION, others[row : row + 1])
        assert np.array_equal(alone.begins[0], together.begins[row])
        assert np.array_equal(alone.labels[0], together.labels[row])


def test_days_that_told_nothing_at_training_change_nothing() -> None:
    told = stays(three(0.0, 5.0), 0.0, 0.0, np.zeros((2, 2)))
    assert at(told, 6.0) == ([0, 0], [NEVER, NEVER])


def test_of_groups_that_cost_the_same_the_first_is_taken() -> None:
    told = stays(three(0.0, 4.0, 4.0), 0.0, 1.0, np.zeros((1, 2)))
    assert at(told, 3.0) == ([1], [NEVER])
    assert at(stays(three(0.0), 0.0, 1.0, np.zeros((1, 2))), 3.0) == ([0], [NEVER])
