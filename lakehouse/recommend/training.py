"""Interactions and products -> a model. Pure; numpy and scipy.

Weights of training are those of serving (lakehouse/recommend/interactions.py), taken at `as_of`. Profiles and sessions are
both baskets of the similarity, orders are those of the complements.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from lakehouse.recommend.als import AlsSettings, product_factors
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import DAY_MS, KIND_WEIGHTS, saturated
from lakehouse.recommend.model import NOBODY, PERSONAL, Blend, RecommenderModel
from lakehouse.recommend.neighbours import neighbours, stacked
from lakehouse.recommend.repurchase import repurchase

LEAST_TOGETHER = 2  # orders two products must share to be complements: one may be chance
_WEIGHTS = np.array(list(KIND_WEIGHTS.values()))


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """`shrink`, `session_weight`: see lakehouse/recommend/neighbours.py. `new_days`: a product is new that long.

    `gone_days`: nobody touched it for that long, and it is held to be gone. `again_days`: window of
    lakehouse/recommend/repurchase.py.
    """

    als: AlsSettings = field(default_factory=AlsSettings)
    blend: Blend = field(default_factory=Blend)
    shrink: float = 1.0
    session_weight: float = 1.0
    new_days: int = 14
    gone_days: int = 90
    again_days: int = 90


def fit(rows: Interactions, catalogue: ProductCatalogue, settings: FitSettings, *, as_of_ms: int) -> RecommenderModel:
    """A model of kind PERSONAL of everything in `rows`."""
    half_life = settings.blend.half_life_days
    decayed = decayed_weights(rows, as_of_ms, half_life)
    sums = _sums(rows.product, decayed, rows.products)
    order = np.lexsort((np.array(catalogue.product_ids), -sums))
    rank = np.empty(rows.products, dtype=np.int64)
    rank[order] = np.arange(rows.products)
    product = rank[rows.product]
    by_profile = baskets(rows.profile, product, decayed, (rows.profiles, rows.products))
    category_of, categories = _codes([catalogue.categories[one] for one in order])
    alike = neighbours(
        stacked(by_profile, _of(rows.session, product, decayed, rows.products), settings.session_weight),
        shrink=settings.shrink,
    )
    ones = np.ones(len(rows))
    with_it = neighbours(
        _of(rows.order, product, ones, rows.products), shrink=settings.shrink, apart=category_of, least=LEAST_TOGETHER
    )
    segments, of_segment = _segment_popularity(rows, product, decayed, catalogue.segment_of)
    again = repurchase(replace(rows, product=product), category_of, as_of_ms=as_of_ms, window_days=settings.again_days)
    return RecommenderModel(
        kind=PERSONAL,
        blend=settings.blend,
        product_ids=tuple(catalogue.product_ids[one] for one in order),
        categories=categories,
        category_of=category_of,
        popularity=_shares(sums[order]),
        segments=segments,
        segment_popularity=of_segment,
        is_available=catalogue.is_available[order],
        new=_new(catalogue.first_seen_ms[order], as_of_ms, settings.new_days),
        neighbours=alike.ids,
        neighbour_scores=alike.scores,
        complements=with_it.ids,
        complement_scores=with_it.scores,
        factors=product_factors(by_profile, settings.als),
        again_rate=again.rate,
        again_after_days=again.after_days,
    )


def with_factors(
    model: RecommenderModel, rows: Interactions, catalogue: ProductCatalogue, settings: FitSettings, *, as_of_ms: int
) -> RecommenderModel:
    """The model with factors and confidence by other settings; half-life and everything else stay."""
    by_profile = profile_baskets(model, rows, catalogue, as_of_ms=as_of_ms)
    return replace(model, blend=settings.blend, factors=product_factors(by_profile, settings.als))


def profile_baskets(
    model: RecommenderModel, rows: Interactions, catalogue: ProductCatalogue, *, as_of_ms: int
) -> csr_matrix:
    """Profiles x products of a fitted model, in its order of products."""
    product = positions(model, catalogue)[rows.product]
    decayed = decayed_weights(rows, as_of_ms, model.blend.half_life_days)
    return baskets(rows.profile, product, decayed, (rows.profiles, rows.products))


def positions(model: RecommenderModel, catalogue: ProductCatalogue) -> NDArray[np.int64]:
    """Position in the model of every product number."""
    index = {product_id: position for position, product_id in enumerate(model.product_ids)}
    return np.array([index[product_id] for product_id in catalogue.product_ids], dtype=np.int64)


def decayed_weights(rows: Interactions, as_of_ms: int, half_life_days: float) -> NDArray[np.float64]:
    age = np.maximum(0, as_of_ms - rows.at_ms) / (half_life_days * DAY_MS)
    return np.asarray(_WEIGHTS[rows.kind] * 0.5**age, dtype=np.float64)


def baskets(
    basket: NDArray[np.int64], product: NDArray[np.int64], decayed: NDArray[np.float64], shape: tuple[int, int]
) -> csr_matrix:
    """Baskets x products: the saturated weight of what was done with each."""
    summed = coo_matrix((decayed, (basket, product)), shape=shape).tocsr()  # adds up what has one place
    summed.data = saturated(summed.data)
    summed.eliminate_zeros()
    return summed


def _of(
    basket: NDArray[np.int64], product: NDArray[np.int64], decayed: NDArray[np.float64], products: int
) -> csr_matrix:
    """Baskets of sessions or orders; rows that are in none are left out."""
    is_in = basket >= 0
    _, numbers = np.unique(basket[is_in], return_inverse=True)
    count = int(numbers.max(initial=-1)) + 1
    return baskets(numbers, product[is_in], decayed[is_in], (count, products))


def _codes(names: list[str | None]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    distinct = tuple(sorted({name for name in names if name is not None}))
    number = {name: code for code, name in enumerate(distinct)}
    codes = [NOBODY if name is None else number[name] for name in names]
    return np.array(codes, dtype=np.int32), distinct


def _segment_popularity(
    rows: Interactions, product: NDArray[np.int64], decayed: NDArray[np.float64], segment_of: tuple[str | None, ...]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Popularity within each segment, drawn to that of all by the weight of one average product of the segment."""
    codes, segments = _codes(list(segment_of) or [None] * rows.profiles)
    everyone = _sums(product, decayed, rows.products)
    shares = np.zeros((len(segments), rows.products), dtype=np.float32)
    for code in range(len(segments)):
        is_in = codes[rows.profile] == code
        sums = _sums(product[is_in], decayed[is_in], rows.products)
        shares[code] = _shares(sums + sums.mean() * everyone / max(float(everyone.sum()), 1e-12))
    return segments, shares


def _sums(product: NDArray[np.int64], weights: NDArray[np.float64], products: int) -> NDArray[np.float64]:
    return np.bincount(product, weights=weights, minlength=products).astype(np.float64)


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """0..1, the largest is 1."""
    highest = float(sums.max(initial=0.0))
    return (sums / highest if highest > 0 else sums).astype(np.float32)


def _new(first_seen_ms: NDArray[np.int64], as_of_ms: int, new_days: int) -> NDArray[np.int32]:
    """Positions of products first seen in the last `new_days` up to `as_of_ms`, newest first.

    Not those of the first `new_days` of the record: everything looks new when a record begins.
    """
    if len(first_seen_ms) == 0:
        return np.empty(0, dtype=np.int32)
    since = max(as_of_ms - new_days * DAY_MS, int(first_seen_ms.min()) + new_days * DAY_MS)
    found = np.flatnonzero((first_seen_ms > since) & (first_seen_ms <= as_of_ms))
    return found[np.lexsort((found, -first_seen_ms[found]))].astype(np.int32)
