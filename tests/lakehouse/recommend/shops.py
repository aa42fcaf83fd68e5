"""Small shops: a model written by hand, and interactions whose rule is planted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import CART, DAY_MS, KINDS, ORDER, VIEW, Interaction
from lakehouse.recommend.model import NOBODY, PERSONAL, Blend, RecommenderModel

NOW = 1_800_000_000_000
IDS = ("kettle", "toaster", "mug", "novel", "atlas", "kite", "train", "lamp")
CATEGORIES = ("books", "kitchen", "toys")
_OF = {"kettle": 1, "toaster": 1, "mug": 1, "novel": 0, "atlas": 0, "kite": 2, "train": 2, "lamp": NOBODY}


def by_hand(**other: Any) -> RecommenderModel:
    """Eight products, most popular first. Kettle ~ toaster > mug, novel ~ atlas; a kettle is bought with a novel, a mug with tea."""
    values: dict[str, Any] = {
        "kind": PERSONAL,
        "blend": Blend(mix=1.0),
        "product_ids": IDS,
        "categories": CATEGORIES,
        "category_of": np.array([_OF[one] for one in IDS], dtype=np.int32),
        "popularity": np.linspace(1.0, 0.3, 8).astype(np.float32),
        "segments": ("champions",),
        "segment_popularity": np.eye(8, dtype=np.float32)[[6]],
        "is_available": np.ones(8, dtype=np.bool_),
        "new": np.empty(0, dtype=np.int32),
        "factors": np.zeros((8, 2), dtype=np.float32),
        "again_rate": np.zeros(8, dtype=np.float32),
        "again_after_days": np.full(8, np.inf, dtype=np.float32),
        **_lists(
            "neighbour", {"kettle": {"toaster": 0.9, "mug": 0.5}, "toaster": {"kettle": 0.9}, "novel": {"atlas": 0.8}}
        ),
        **_lists("complement", {"kettle": {"novel": 0.6, "mug": 0.4, "kite": 0.3}, "novel": {"kettle": 0.6}}),
    }
    return RecommenderModel(**values | other)


def _lists(name: str, of: dict[str, dict[str, float]]) -> dict[str, np.ndarray]:
    ids = np.full((8, 3), NOBODY, dtype=np.int32)
    scores = np.zeros((8, 3), dtype=np.float32)
    for product, others in of.items():
        row = IDS.index(product)
        ids[row, : len(others)] = [IDS.index(other) for other in others]
        scores[row, : len(others)] = list(others.values())
    return {f"{name}s": ids, f"{name}_scores": scores}


def did(*steps: str, at_ms: int = NOW - 10_000) -> list[Interaction]:
    """`view kettle`, `cart mug`, ...: one second apart."""
    return [
        Interaction(product, kind, at_ms + 1_000 * number)
        for number, (kind, product) in enumerate(step.split() for step in steps)
    ]


def table(rows: Sequence[tuple[int, int, str, int, int, int]], profiles: int, products: int) -> Interactions:
    """Rows of (profile, product, kind, at_ms, session, order)."""
    rows = sorted(rows, key=lambda row: row[3])
    profile, product, kind, at_ms, session, order = zip(*rows, strict=True) if rows else [()] * 6
    wide = [np.array(column, dtype=np.int64) for column in (profile, product, session, order, at_ms)]
    return Interactions(
        profile=wide[0], product=wide[1], session=wide[2], order=wide[3], at_ms=wide[4],
        kind=np.array([KINDS.index(one) for one in kind], dtype=np.int8), profiles=profiles, products=products,
    )  # fmt: skip


def catalogue(products: int, categories: int) -> ProductCatalogue:
    return ProductCatalogue(
        product_ids=tuple(f"p{number:03}" for number in range(products)),
        categories=tuple(f"c{number % categories}" for number in range(products)),
        first_seen_ms=np.zeros(products, dtype=np.int64),
        is_available=np.ones(products, dtype=np.bool_),
    )


def planted(people: int, *, products: int = 60, categories: int = 6, taste: float, seed: int = 1) -> Interactions:
    """People over 60 days who each like one category: with a chance of `taste` they turn to it, else to anything popular.

    Sessions of four: three looks and, half the time, an order of the last.
    """
    random = np.random.default_rng(seed)
    popular = 1.0 / np.arange(1, products + 1)
    rows = []
    for person in range(people):
        own = np.arange(products) % categories == person % categories
        for session in range(int(random.integers(3, 9))):
            at = NOW - int(random.integers(0, 60 * DAY_MS))
            for step in range(3):
                weights = popular * own if random.random() < taste else popular
                product = int(random.choice(products, p=weights / weights.sum()))
                rows.append((person, product, VIEW, at + 60_000 * step, person * 100 + session, -1))
            if random.random() < 0.5:
                rows.append((person, product, CART, at + 180_000, person * 100 + session, -1))
                rows.append((person, product, ORDER, at + 200_000, person * 100 + session, person * 100 + session))
    return table(rows, people, products)


def pantry(people: int, *, days: int = 240, seed: int = 1) -> tuple[Interactions, np.ndarray, np.ndarray]:
    """A shop of 60 products in ten categories, c0..c4 consumed and c5..c9 durable: orders, which are consumed, and their medians.

    Everybody keeps to ten consumed products and orders each again after a log-normal time (median 8..30 days by category, spread
    0.3), one in ten times never; and orders six durable ones, each once.
    """
    random = np.random.default_rng(seed)
    number = np.arange(60)
    is_consumed = number % 10 < 5
    median_days = np.where(is_consumed, 8.0 + 5.5 * (number % 10), np.inf)
    rows = []
    for person in range(people):
        for product in random.choice(number[is_consumed], 10, replace=False):
            day = random.uniform(0, 30)
            while day < days:
                rows.append((person, int(product), day))
                day += median_days[product] * np.exp(0.3 * random.normal()) if random.random() < 0.9 else days
        for product in random.choice(number[~is_consumed], 6, replace=False):
            rows.append((person, int(product), random.uniform(0, days)))
    lines = [
        (who, one, ORDER, NOW - int((days - day) * DAY_MS), who * 1_000 + int(day), who * 1_000 + int(day))
        for who, one, day in rows
    ]
    return table(lines, people, 60), is_consumed, median_days
