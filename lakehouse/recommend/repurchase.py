"""Which products are bought again, and how long after: learned from the orders. For training only; needs scipy.

Follows Bhagat, Muralidharan, Lobzhanidze and Vishwanath, "Buy It Again: Modeling Repeat Purchase Recommendations", KDD 2018
(https://doi.org/10.1145/3219819.3219891): a product is shown again where enough of its buyers came back for it, from when a
log-normal of the time between two purchases says so. Ours in addition:

    rate      of the buyers whose first purchase lies a whole window back, those who bought it again within the window. Drawn to
              the rate of its category, and that to the rate of the shop: beta-binomial, the weight of each by how much rates differ
              (moments, as in Kleinman, JASA 1973). So a product few have bought speaks by its category.
    consumed  where the 5 % quantile of the rate is above LEAST_RATE, and its odds above LEAST_ODDS of those of chance: of the rate
              if the buyers' later purchases were drawn from all that is sold. To have bought a durable thing makes the next
              purchase of it far less likely than chance; what everybody buys all the time, such as bananas, is no more likely
              than chance, and yet bought again. Anything that is not consumed is durable and never due.
    wait      the 10 % quantile of the time between: nine of ten who buy again do so later, and find it.

Purchases of one product on one UTC day are one. A record shorter than a window has no buyer to count: nothing comes back.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from lakehouse.recommend.interaction_table import Interactions
from lakehouse.recommend.interactions import DAY_MS, KINDS, ORDER

LEAST_RATE = 0.1  # of the buyers; for fewer a place of the list is better used
LEAST_ODDS = 0.5  # ratios of odds keep their meaning where few products are sold and chance is high
_QUANTILE = 0.05
_EARLIEST = -1.2816  # 10 % quantile of the standard normal
_PRIOR_GAPS = 10.0  # of its category, that the gaps of a product are added to
_WEIGHTS = (1.0, 10_000.0)  # least and most of a prior, in buyers

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Repurchase:
    """Per product. `rate`: 0..1, share of buyers who buy it again within the window; 0 = durable.

    `after_days`: days from a purchase until it is due; infinite where it is durable.
    """

    rate: NDArray[np.float32]
    after_days: NDArray[np.float32]


class _Purchases(NamedTuple):
    """One row per person, product and day, in this order. `gap`: days to the next of the same two, 0 = none."""

    profile: Whole
    product: Whole
    day: Whole
    gap: Whole
    is_first: NDArray[np.bool_]


def repurchase(rows: Interactions, group_of: NDArray[np.int32], *, as_of_ms: int, window_days: int) -> Repurchase:
    """`group_of`: category per product number; products of no category (below 0) are one group."""
    products = rows.products
    group = (group_of + 1).astype(np.int64)
    bought = _purchases(rows)
    is_counted = bought.is_first & (bought.day + window_days <= as_of_ms // DAY_MS)
    is_again = is_counted & (bought.gap > 0) & (bought.gap <= window_days)
    buyers, again = (
        np.bincount(bought.product[one], minlength=products).astype(np.float64) for one in (is_counted, is_again)
    )
    chance = _summed(bought.product[is_counted], _chances(bought, is_counted, window_days, products), products)
    rate, weight = _prior(again, buyers, group)
    a, b = weight * rate + again, weight * (1 - rate) + buyers - again
    by_chance = chance / np.maximum(buyers, 1)
    floor = np.maximum(LEAST_RATE, LEAST_ODDS * by_chance / (1 + (LEAST_ODDS - 1) * by_chance))
    is_consumed = beta.ppf(_QUANTILE, np.maximum(a, 1e-9), np.maximum(b, 1e-9)) > floor
    is_consumed &= np.bincount(group, weights=buyers)[group] > 0
    return Repurchase(
        rate=np.where(is_consumed, a / (a + b), 0.0).astype(np.float32),
        after_days=np.where(is_consumed, _waits(bought, group, window_days, products), np.inf).astype(np.float32),
    )


def _purchases(rows: Interactions) -> _Purchases:
    is_order = rows.kind == KINDS.index(ORDER)
    columns = (rows.profile[is_order], rows.product[is_order], rows.at_ms[is_order] // DAY_MS)
    profile, product, day = np.unique(np.stack(columns), axis=1)
    is_first = np.ones(len(day), dtype=np.bool_)
    is_first[1:] = (np.diff(profile) != 0) | (np.diff(product) != 0)
    gap = np.zeros(len(day), dtype=np.int64)
    gap[:-1] = np.where(is_first[1:], 0, np.diff(day))
    return _Purchases(profile, product, day, gap, is_first)


def _chances(bought: _Purchases, is_counted: NDArray[np.bool_], window_days: int, products: int) -> Floats:
    """Of each purchase counted: the chance that a draw from all that is sold for every purchase after it names the product."""
    span = int(bought.day.max(initial=0)) + window_days + 1
    moments = np.sort(bought.profile * span + bought.day)
    own = (bought.profile * span + bought.day)[is_counted]
    later = np.searchsorted(moments, own + window_days, side="right") - np.searchsorted(moments, own, side="right")
    share = np.bincount(bought.product, minlength=products) / max(len(bought.day), 1)
    return np.asarray(1.0 - (1.0 - share[bought.product[is_counted]]) ** later, dtype=np.float64)


def _prior(again: Floats, buyers: Floats, group: Whole) -> tuple[Floats, Floats]:
    """Rate and weight of the beta prior of every product: how sure one is of a product nobody has bought yet."""
    count = int(group.max(initial=0)) + 1
    group_again, group_buyers = _summed(group, again, count), _summed(group, buyers, count)
    shop_rate = group_again.sum() / max(group_buyers.sum(), 1.0)
    between_groups = _weight(group_again, group_buyers, np.full(count, shop_rate), 1)
    rate = (between_groups * shop_rate + group_again) / (between_groups + group_buyers)
    between_products = _weight(again, buyers, rate[group], int((group_buyers > 0).sum()))
    # Variances of a product within its category and of what is known of the category add up.
    variance = 1.0 / (between_products + 1.0) + 1.0 / (between_groups + group_buyers[group] + 1.0)
    return rate[group], np.maximum(1.0 / variance - 1.0, 1e-3)


def _weight(again: Floats, buyers: Floats, centre: Floats, centres: int) -> float:
    """Of a beta prior, in buyers, by moments: what rates differ from their `centres` more than counting alone would explain."""
    is_one = buyers > 0
    n, k, r = buyers[is_one], again[is_one], centre[is_one]
    spare = n.sum() - (n**2).sum() / max(n.sum(), 1.0)
    noise = r * (1 - r)
    if len(n) <= centres or spare <= 0 or noise.sum() <= 0:
        return _WEIGHTS[0]  # one alone says nothing of how they differ
    excess = (n * (k / n - r) ** 2).sum() - noise.mean() * (len(n) - centres)
    if excess <= 0:
        return _WEIGHTS[1]
    typical = float((n * noise).sum() / n.sum())
    return float(np.clip(typical * spare / excess - 1.0, *_WEIGHTS))


def _waits(bought: _Purchases, group: Whole, window_days: int, products: int) -> Floats:
    """Days: 10 % quantile of a log-normal, its mean drawn to that of the category, its spread the category's."""
    is_gap = (bought.gap > 0) & (bought.gap <= window_days)
    logs, product = np.log(bought.gap[is_gap]), bought.product[is_gap]
    count = int(group.max(initial=0)) + 1
    everyone = (float(logs.mean()), float(logs.std())) if len(logs) else (np.log(window_days), 0.0)
    in_group = _PRIOR_GAPS + np.bincount(group[product], minlength=count)
    mean = (_PRIOR_GAPS * everyone[0] + _summed(group[product], logs, count)) / in_group
    squares = _summed(group[product], (logs - mean[group[product]]) ** 2, count)
    spread = np.sqrt((_PRIOR_GAPS * everyone[1] ** 2 + squares) / in_group)
    in_product = _PRIOR_GAPS + np.bincount(product, minlength=products)
    own = (_PRIOR_GAPS * mean[group] + _summed(product, logs, products)) / in_product
    return np.asarray(np.maximum(1.0, np.exp(own + _EARLIEST * spread[group])), dtype=np.float64)


def _summed(place: Whole, values: NDArray[np.generic], count: int) -> Floats:
    return np.bincount(place, weights=values.astype(np.float64), minlength=count).astype(np.float64)
