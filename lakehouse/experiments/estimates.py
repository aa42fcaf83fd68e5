"""What an arm is estimated to have of a metric, and how much each of its people moves that estimate.

Every estimate is a mean, a quotient of means or a quantile; each is, but for terms that vanish, its true value plus the mean of
one number per person. Those numbers carry the variance, with a person's rows as one cluster, and CUPED works on them alike.
Source: Deng, Knoblich and Lu, Applying the Delta Method in Metric Analytics: A Practical Guide with Novel Ideas, KDD 2018
(https://arxiv.org/abs/1803.06336): quotients, and quantiles of clustered rows by order statistics.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lakehouse.experiments.sample_statistics import SampleMoments, moments

Floats: TypeAlias = NDArray[np.float64]
_Z = 1.959963984540054  # the order statistics that tell how steep the distribution is lie a 95 % interval apart


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Of one arm. `influence`: per person, mean 0; nan where it is not known. `is_binary`: a mean of zeros and ones."""

    value: float
    influence: Floats
    is_binary: bool = False

    @property
    def moments(self) -> SampleMoments:
        """As of a mean: what every answer is computed from."""
        found = moments(self.influence)
        return SampleMoments(n=found.n, mean=self.value, variance=found.variance, is_binary=self.is_binary)


def mean(values: Floats) -> Estimate:
    """Of one value per person."""
    found = moments(values)
    return Estimate(value=found.mean, influence=values - found.mean, is_binary=found.is_binary)


def ratio(numerator: Floats, denominator: Floats) -> Estimate:
    """Sum over sum, of one pair per person; nan where the denominators sum to 0.

    The variance is that of (numerator - ratio x denominator) / mean denominator, by the delta method.
    """
    below = float(denominator.mean()) if len(denominator) else 0.0
    if below == 0:
        return Estimate(value=float("nan"), influence=np.full(len(numerator), np.nan))
    value = float(numerator.mean()) / below
    return Estimate(value=value, influence=(numerator - value * denominator) / below)


def quantile(rows: Floats, person: NDArray[np.int64], people: int, share: float) -> Estimate:
    """Of all rows of all people: the smallest row that at least `share` of them do not exceed.

    `person`: whose each row is, 0 up to but not including `people`; somebody without any row counts as a person all the same.
    How far it may be off is how far the share of rows below it may be, of clustered rows, translated back by the order statistics
    around it. The influence is nan where these lie outside the data, and where a person is alone.
    """
    total, unknown = len(rows), np.full(people, np.nan)
    if total == 0:
        return Estimate(value=float("nan"), influence=unknown)
    ordered = np.sort(rows)
    value = float(ordered[max(int(np.ceil(share * total - 1e-9)), 1) - 1])
    off = np.bincount(person, weights=(rows <= value) - share, minlength=people) * (people / total)
    error = float(np.sqrt(off.var(ddof=1) / people)) if people > 1 else 0.0
    low, high = int(np.floor((share - _Z * error) * total)), int(np.ceil((share + _Z * error) * total))
    if error == 0 or low < 1 or high > total:
        return Estimate(value=value, influence=unknown)
    steep = (ordered[high - 1] - ordered[low - 1]) / (2 * _Z * error)  # of the quantile, by the share below it
    return Estimate(value=value, influence=-steep * (off - off.mean()))


def winsorised(values: Floats, share: float) -> Floats:
    """Values beyond the quantile `share` of those that are not 0, as that quantile. Sign and zeros stay.

    Zeros are left out of the quantile: where few people buy, it would else be 0, and nobody would have bought. Of values below 0
    the size is what is capped.
    """
    sizes = np.abs(values[values != 0])
    if len(sizes) == 0:
        return values
    cap = float(np.quantile(sizes, share, method="inverted_cdf"))
    return np.clip(values, -cap, cap)
