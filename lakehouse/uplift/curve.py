"""The uplift curve: what is gained over giving everybody the baseline when the most promising share of people gets its best arm.

With several arms as in Sverdrup, Wu, Athey and Wager (2023), Qini curves for multi-armed treatment rules, arXiv 2306.11979, by doubly
robust scores of rows whose effects were foretold by models that had not seen them.
"""

from dataclasses import dataclass

import numpy as np

from lakehouse.uplift.chain import Chain, LoggedArms
from lakehouse.uplift.evidence import Bounded, mean

SHARES = tuple(tenth / 10 for tenth in range(11))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """`gains`: per row of everybody, at each of SHARES. `qini`: mean height above the straight line between the ends."""

    gains: tuple[Bounded, ...]
    qini: float


def curve(log: LoggedArms, chain: Chain, baseline: int, alpha: float) -> Curve:
    """Of the judged rows; the promise of a row is what its best other arm is foretold to give over the baseline."""
    judged = np.flatnonzero(chain.is_judged)
    effects = chain.effects[judged]
    others = effects.copy()
    others[:, baseline] = -np.inf
    best = others.argmax(axis=1)
    rows = np.arange(len(judged))
    promise = effects[rows, best] - effects[:, baseline]
    scores = chain.scores[judged]
    gain = scores[rows, best] - scores[:, baseline]
    rank = np.empty(len(judged))
    rank[np.argsort(-promise, kind="stable")] = (rows + 0.5) / max(len(judged), 1)
    gains = tuple(mean(np.where(rank < share, gain, 0.0), log.person[judged], alpha) for share in SHARES)
    heights = [bounded.value - share * gains[-1].value for share, bounded in zip(SHARES, gains, strict=True)]
    return Curve(gains=gains, qini=float(np.trapezoid(heights, SHARES)))
