"""What training learns from: who did what with which product, as numbers, and what is known of the products. numpy only."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakehouse.recommend.interactions import DAY_MS


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """One row per thing done with one product, in the order of `at_ms`.

    `profile`, `product`, `session`, `order`: numbers from 0; session and order below 0 = none. `kind`: place in KINDS.
    `profiles`, `products`: how many there are of each.
    """

    profile: NDArray[np.int64]
    product: NDArray[np.int64]
    session: NDArray[np.int64]
    order: NDArray[np.int64]
    kind: NDArray[np.int8]
    at_ms: NDArray[np.int64]
    profiles: int
    products: int

    def __len__(self) -> int:
        return len(self.profile)

    def where(self, chosen: NDArray[np.bool_]) -> "Interactions":
        return Interactions(
            profile=self.profile[chosen], product=self.product[chosen], session=self.session[chosen],
            order=self.order[chosen], kind=self.kind[chosen], at_ms=self.at_ms[chosen],
            profiles=self.profiles, products=self.products,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ProductCatalogue:
    """What is known of the products of Interactions, one entry per product number.

    `categories`: null = unknown. `segment_of`: per profile number, null = in none.
    """

    product_ids: tuple[str, ...]
    categories: tuple[str | None, ...]
    first_seen_ms: NDArray[np.int64]
    is_available: NDArray[np.bool_]
    segment_of: tuple[str | None, ...] = ()

    def known_at(self, rows: Interactions, at_ms: int, gone_days: int) -> "ProductCatalogue":
        """What could be had at `at_ms`: touched before it, and not longer than `gone_days` before."""
        last_ms = np.full(rows.products, np.iinfo(np.int64).min)
        before = rows.at_ms < at_ms
        np.maximum.at(last_ms, rows.product[before], rows.at_ms[before])
        return replace(self, is_available=last_ms >= at_ms - gone_days * DAY_MS)
