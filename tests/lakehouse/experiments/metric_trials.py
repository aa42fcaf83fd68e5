"""Experiments on nothing, by the thousand and looked at again and again: CUPED, quotients and quantiles; used by tests and benchmark.

What a look says of means, quotients and CUPED is computed from running sums for all experiments at once. `check` holds these to
what the product says of the same people.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lakehouse.experiments.adjustment import adjusted
from lakehouse.experiments.estimates import Estimate, mean, quantile, ratio
from lakehouse.experiments.sequential import rho, width

ALPHA = 0.05
_AT_ONCE = 100  # experiments
Floats = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Per experiment (rows) and look (columns): the difference and its error; nan where it is not known. `people`: of one arm, by look."""

    difference: Floats
    error: Floats
    people: Floats

    @property
    def intervals(self) -> tuple[Floats, Floats]:
        """Always valid."""
        squared = rho(ALPHA) ** 2
        half = self.error * np.array([width(2 * n, squared, ALPHA) for n in self.people])
        return self.difference - half, self.difference + half

    def found(self, truth: float = 0.0) -> float:
        """Share of experiments in which some look's always-valid interval leaves out the truth."""
        low, high = self.intervals
        return float(((low > truth) | (high < truth)).any(axis=1).mean())

    def found_once(self, truth: float = 0.0) -> float:
        """The same of fixed intervals, at the last look alone."""
        z = np.abs(self.difference[:, -1] - truth) / self.error[:, -1]
        return float((z > stats.norm.isf(ALPHA / 2)).mean())


def cuped(experiments: int, looks: int, people: int, seed: int) -> Trials:
    """Skewed spend of people who differ; the covariate is what they spent before."""
    parts = [
        _cuped(*drawn, _steps(looks, people))
        for drawn in _chunks(experiments, seed, lambda rng, count: _spend(rng, (count, 2, people)))
    ]
    return _joined(parts, looks, people)


def quotients(experiments: int, looks: int, people: int, seed: int) -> Trials:
    """Orders per visit; a person's visits are alike."""
    parts = [
        _quotients(*drawn, _steps(looks, people))
        for drawn in _chunks(experiments, seed, lambda rng, count: _visits(rng, (count, 2, people)))
    ]
    return _joined(parts, looks, people)


def quantiles(experiments: int, looks: int, people: int, seed: int, share: float) -> Trials:
    """Of baskets, of which a person has none to three, alike; by the product's own function at every look."""
    rng = np.random.default_rng(seed)
    differences, errors = np.empty((2, experiments, looks))
    for number in range(experiments):
        arms = [_baskets(rng, people) for _ in "ab"]
        for look, until in enumerate(_steps(looks, people)):
            one, other = (
                quantile(rows[person < until], person[person < until], until, share).moments for rows, person in arms
            )
            differences[number, look] = one.mean - other.mean
            errors[number, look] = np.sqrt(one.squared_error + other.squared_error)
    return Trials(difference=differences, error=errors, people=_steps(looks, people))


def check(seed: int, people: int = 500) -> None:
    """Raises AssertionError where the running sums and the product do not say the same."""
    rng = np.random.default_rng(seed)
    steps = _steps(5, people)
    (values, before), (above, below) = _spend(rng, (3, 2, people)), _visits(rng, (3, 2, people))
    sums = _cuped(values, before, steps), _quotients(above, below, steps)
    for number in range(3):
        for look, n in enumerate(steps):
            plain = {arm: mean(values[number, place, :n]) for place, arm in enumerate("ab")}
            covariates = {arm: before[number, place, :n, None] for place, arm in enumerate("ab")}
            pairs = (
                [*adjusted(plain, covariates).values()],
                [ratio(above[number, place, :n], below[number, place, :n]) for place in (0, 1)],
            )
            for (difference, error), pair in zip(sums, pairs, strict=True):
                said = difference[number, look], error[number, look]
                np.testing.assert_allclose(said, _difference(*pair), rtol=1e-6)


def _difference(one: Estimate, other: Estimate) -> tuple[float, float]:
    error = np.sqrt(one.moments.squared_error + other.moments.squared_error)
    return one.value - other.value, float(error)


def _steps(looks: int, people: int) -> Floats:
    """People of one arm at each look."""
    return (np.arange(1, looks + 1) * people // looks).astype(int)


def _chunks(experiments: int, seed: int, draw) -> Iterator[tuple[Floats, Floats]]:
    rng = np.random.default_rng(seed)
    for begin in range(0, experiments, _AT_ONCE):
        yield draw(rng, min(_AT_ONCE, experiments - begin))


def _spend(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Spend after and before: few buy, and who spent before spends again."""
    taste = rng.standard_exponential(shape, dtype=np.float32)
    bought = [rng.random(shape, dtype=np.float32) < 0.3 for _ in "ab"]
    after, before = (each * taste * rng.standard_exponential(shape, dtype=np.float32) for each in bought)
    return (after + taste).astype(np.float64), (before + taste).astype(np.float64)


def _visits(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Orders and visits: 1 to 4 visits, each with an order as likely as the person is to buy."""
    readiness = 0.4 * rng.random(shape, dtype=np.float32) ** 2
    visits = rng.integers(1, 5, shape, dtype=np.int8)
    orders = np.zeros(shape)
    for turn in range(4):
        orders += (rng.random(shape, dtype=np.float32) < readiness) & (visits > turn)
    return orders, visits.astype(np.float64)


def _baskets(rng: np.random.Generator, people: int) -> tuple[Floats, Floats]:
    counts = rng.integers(0, 4, people)
    person = np.repeat(np.arange(people), counts)
    return rng.lognormal(3, 0.5, len(person)) * np.repeat(rng.lognormal(0, 0.6, people), counts), person


def _running(values: Floats, steps: Floats) -> Floats:
    """Sums over the first n people, for each n of `steps`; the last axis becomes the looks."""
    return np.add.reduceat(values, np.concatenate([[0], steps[:-1]]), axis=-1).cumsum(axis=-1)


def _products(one: Floats, other: Floats, steps: Floats) -> tuple[Floats, ...]:
    """Means of both, and centred sums of squares and products."""
    x, y, xx, yy, xy = (_running(each, steps) for each in (one, other, one * one, other * other, one * other))
    return x / steps, y / steps, xx - x * x / steps, yy - y * y / steps, xy - x * y / steps


def _cuped(values: Floats, before: Floats, steps: Floats) -> tuple[Floats, Floats]:
    y, x, yy, xx, xy = _products(values, before, steps)
    slope = (xy.sum(axis=1) / xx.sum(axis=1))[:, None]
    left = (yy - 2 * slope * xy + slope**2 * xx) / (steps - 1) / steps
    mean_left = y - slope * x
    return mean_left[:, 0] - mean_left[:, 1], np.sqrt(left.sum(axis=1))


def _quotients(above: Floats, below: Floats, steps: Floats) -> tuple[Floats, Floats]:
    a, b, aa, bb, ab = _products(above, below, steps)
    r = a / b
    squared = (aa - 2 * r * ab + r * r * bb) / (steps - 1) / steps / b**2
    return r[:, 0] - r[:, 1], np.sqrt(squared.sum(axis=1))


def _joined(parts: list[tuple[Floats, Floats]], looks: int, people: int) -> Trials:
    difference, error = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Trials(difference=difference, error=error, people=_steps(looks, people))
