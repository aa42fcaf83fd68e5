"""What lists are like beside being right: how much of the shop they show, how unlike their products are, how popular. numpy only.

coverage    share of the products that can be had that are in any list
gini        of how often each product that can be had is shown: 0 = all alike, towards 1 = a few take all
(both as in Shani and Gunawardana, "Evaluating Recommendation Systems", 2011, sections 3.3 and 8.3.3)
diversity   share of the pairs of one list that are of two categories (Ziegler et al., WWW 2005, with 0 or 1 as distance)
popularity  mean percentile by popularity of what is shown, 1 = the most popular; beside that of what people turned to
(the popularity lift of Abdollahpouri et al., RMSE workshop at RecSys 2019, in percentiles)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakehouse.recommend.model import NOBODY, RecommenderModel

Positions = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Variety:
    """All 0..1. `diversity`: null where no list has two products of known categories. `wanted_popularity`: of what people turned to."""

    coverage: float
    gini: float
    diversity: float | None
    popularity: float
    wanted_popularity: float

    def __str__(self) -> str:
        diversity = "unknown" if self.diversity is None else f"{self.diversity:.3f}"
        return (
            f"coverage {self.coverage:.3f}, gini {self.gini:.3f}, diversity {diversity}, "
            f"popularity {self.popularity:.3f} (wanted {self.wanted_popularity:.3f})"
        )


def variety(model: RecommenderModel, lists: Sequence[Positions], wanted: Sequence[Positions]) -> Variety:
    """`lists`, `wanted`: positions of the model's products, one of each per person; at least one product in all of each."""
    products = len(model.product_ids)
    shown = np.bincount(np.concatenate(lists), minlength=products)
    of_shop = shown[model.is_available | (shown > 0)]
    percentile = 1.0 - np.arange(products) / max(products - 1, 1)  # products are in order of popularity
    apart = [one for one in (_apart(model.category_of[found]) for found in lists) if one is not None]
    return Variety(
        coverage=float((of_shop > 0).mean()),
        gini=gini(of_shop),
        diversity=float(np.mean(apart)) if apart else None,
        popularity=float(percentile[np.concatenate(lists)].mean()),
        wanted_popularity=float(percentile[np.concatenate(wanted)].mean()),
    )


def gini(counts: NDArray[np.integer]) -> float:
    """0 = all alike; (n - 1) / n where one has all. `counts`: 0 or more, one above 0."""
    ordered = np.sort(counts).astype(np.float64)
    place = np.arange(1, len(ordered) + 1)
    return float(((2 * place - len(ordered) - 1) * ordered).sum() / (len(ordered) * ordered.sum()))


def _apart(categories: NDArray[np.int32]) -> float | None:
    """Share of pairs of two categories, among products whose category is known."""
    known = categories[categories != NOBODY]
    if len(known) < 2:
        return None
    alike = (np.bincount(known) * (np.bincount(known) - 1)).sum()
    return float(1.0 - alike / (len(known) * (len(known) - 1)))
