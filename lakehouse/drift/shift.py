"""How far two rows of counts are apart, and how likely that is by chance.

    PSI    sum over bins of (now - reference) * ln(now / reference), shares; half a row is added to every bin, so that an empty one costs no infinity
    KS     largest distance of the two cumulated shares (two-sample Kolmogorov-Smirnov), over ordered bins without what is missing

PSI's 0.1 and 0.25 are a custom that knows neither sample size nor error rates (Yurdakul and Naranjo, Statistical properties of the population stability
index, Journal of Risk Model Validation 14, 2020). So both have a null distribution: were reference and now drawn alike, which rows are now's would be chance. The
counts of now are drawn from the pooled ones without replacement (multivariate hypergeometric), which is the permutation test, exact at any sample
size and with any ties. It takes rows to be independent; the same people at two times resemble each other more, and alarm less.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.drift.bins import Binned

PERMUTATIONS: Final = 2_000
_PRIOR = 0.5
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """psi: 0 or more. ks: 0..1; null of categories. p: chance of one of them so large by chance alone (the smaller, doubled where there are two)."""

    psi: float
    ks: float | None
    p: float


def shift(counts: Binned, random: np.random.Generator, permutations: int = PERMUTATIONS) -> Shift:
    """Raises ValueError where one side has no row."""
    if 0 in counts.rows:
        raise ValueError(f"shift: got {counts.rows} rows of reference and now, expected some of each")
    pooled = counts.reference + counts.now
    drawn = random.multivariate_hypergeometric(pooled, int(counts.now.sum()), size=permutations)
    psi, by_chance = float(_psi(counts, counts.now[None, :], pooled)[0]), _psi(counts, drawn, pooled)
    p_psi = _share_as_large(by_chance, psi)
    if not counts.is_ordered:
        return Shift(psi=psi, ks=None, p=p_psi)
    ks = float(_ks(counts.now[None, :], pooled)[0])
    p_ks = _share_as_large(_ks(drawn, pooled), ks)
    return Shift(psi=psi, ks=ks, p=min(1.0, 2 * min(p_psi, p_ks)))


def _share_as_large(by_chance: Array, found: float) -> float:
    """What was found counts among the draws: no p is 0 (Phipson and Smyth, 2010)."""
    return float((1 + (by_chance >= found - 1e-12).sum()) / (1 + len(by_chance)))


def _psi(counts: Binned, now: NDArray[np.int64], pooled: NDArray[np.int64]) -> Array:
    """By row of `now`: draws x fine bins."""
    merge = np.zeros((len(counts.coarse), int(counts.coarse.max()) + 1))
    merge[np.arange(len(counts.coarse)), counts.coarse] = 1
    merge = merge[:, pooled @ merge > 0]  # a bin of nobody says nothing
    new, all_rows = now @ merge + _PRIOR, pooled @ merge + 2 * _PRIOR
    old = all_rows - new
    new_share, old_share = new / new.sum(axis=1, keepdims=True), old / old.sum(axis=1, keepdims=True)
    return np.asarray(((new_share - old_share) * np.log(new_share / old_share)).sum(axis=1), dtype=np.float64)


def _ks(now: NDArray[np.int64], pooled: NDArray[np.int64]) -> Array:
    new, old = now[:, :-1], (pooled - now)[:, :-1]
    shares = [np.cumsum(one, axis=1) / np.maximum(1, one.sum(axis=1, keepdims=True)) for one in (new, old)]
    return np.asarray(np.abs(shares[0] - shares[1]).max(axis=1), dtype=np.float64)
