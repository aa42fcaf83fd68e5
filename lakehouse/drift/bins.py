"""Values of a reference and of now as counts over the same bins: what PSI and KS are made of.

Numbers: bins of about equal count of the reference, `fine` ones for KS, which `coarse` ones for PSI are made of; ties stay together. Categories: one bin
each. What is missing is a bin of its own, for a feature that stops coming is drift.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FINE: Final = 100
COARSE: Final = 10
Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Binned:
    """reference, now: counts by fine bin, in order of value. coarse: for each fine bin the number of its coarse one. is_ordered: whether the
    order of bins says anything.
    """

    reference: Counts
    now: Counts
    coarse: NDArray[np.intp]
    is_ordered: bool

    @property
    def rows(self) -> tuple[int, int]:
        return int(self.reference.sum()), int(self.now.sum())


def binned(reference: pd.Series, now: pd.Series) -> Binned:
    """By what the reference is: numbers are ordered, anything else is categories. Booleans are categories."""
    is_number = pd.api.types.is_numeric_dtype(reference) and not pd.api.types.is_bool_dtype(reference)
    return _numbers(reference, now) if is_number else _categories(reference, now)


def _numbers(reference: pd.Series, now: pd.Series) -> Binned:
    old, new = (pd.to_numeric(one, errors="coerce").to_numpy(np.float64) for one in (reference, now))
    known = old[np.isfinite(old)]
    edges = (
        np.unique(np.quantile(known, np.linspace(0, 1, FINE + 1)[1:-1], method="lower")) if len(known) else np.empty(0)
    )
    counts = [
        _counted(np.searchsorted(edges, one, side="left"), np.isfinite(one), len(edges) + 1) for one in (old, new)
    ]
    return Binned(reference=counts[0], now=counts[1], coarse=_coarse(counts[0]), is_ordered=True)


def _counted(places: NDArray[np.intp], is_known: NDArray[np.bool_], bins: int) -> Counts:
    """The last bin is of what is missing, or no finite number."""
    found = np.bincount(np.where(is_known, places, bins), minlength=bins + 1)
    return np.asarray(found, dtype=np.int64)


def _coarse(reference: Counts) -> NDArray[np.intp]:
    """Tenths of the reference by the middle of each fine bin; what is missing is a bin of its own."""
    known = reference[:-1]
    middle = (np.cumsum(known) - known / 2) / max(1, int(known.sum()))
    tenths = np.minimum((middle * COARSE).astype(np.intp), COARSE - 1)
    return np.append(tenths, COARSE)


def _categories(reference: pd.Series, now: pd.Series) -> Binned:
    old, new = (one.astype("string").fillna("") for one in (reference, now))
    names = sorted(set(old.unique()) | set(new.unique()))
    counts: list[Counts] = [np.array(one.value_counts().reindex(names).fillna(0), dtype=np.int64) for one in (old, new)]
    return Binned(reference=counts[0], now=counts[1], coarse=np.arange(len(names)), is_ordered=False)
