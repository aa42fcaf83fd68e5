"""People and products for the decision benchmark: profiles with behaviour in the online store, and a recommender."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import orjson

from lakehouse.config import Config
from lakehouse.config.paths import serving_folder
from lakehouse.online.online_profile import COLUMNS, OnlineProfile, identifier_key
from lakehouse.online.recent_entries import BEHAVIOUR, MOST_ENTRIES, key_of
from lakehouse.online.store import Document, Entry, OnlineStore
from lakehouse.online.store_state import advance
from lakehouse.recommend.files import point, write
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import DAY_MS, KINDS
from lakehouse.recommend.training import FitSettings, fit

MODEL_PRODUCTS = 5_000
CATEGORIES = 20
VIEWS = 12
_NOW = datetime.now(UTC)


def user(number: int) -> str:
    return f"u-{number:06d}"


def fill(store: OnlineStore, profiles: int) -> None:
    """Put the profiles, their identifiers and what they did lately."""
    store.put(_documents(profiles))
    mark_filled(store)
    for first in range(0, profiles, 1000):
        numbers = range(first, min(first + 1000, profiles))
        views = {key_of(BEHAVIOUR, ("anonymous_id", f"a-{number:06d}")): list(_views(number)) for number in numbers}
        store.append(views, keep=MOST_ENTRIES)


def mark_filled(store: OnlineStore) -> None:
    """As the `events` query does once all of gold is in it."""
    advance(store, gold="benchmark", now_ms=int(_NOW.timestamp() * 1000))


def _documents(profiles: int) -> Iterator[Document]:
    for number in range(profiles):
        identifiers = (("user_id", user(number)), ("anonymous_id", f"a-{number:06d}"))
        profile = OnlineProfile(
            profile_id=f"profile-{number:06d}",
            version=1,
            identifiers=identifiers,
            bought=tuple(_product(number * 31 + n) for n in range(4)),
            bought_at=tuple(_NOW - timedelta(days=40 + n) for n in range(4)),
            is_known=True,
            figures=dict.fromkeys(COLUMNS)
            | {
                "first_seen_at": _NOW - timedelta(days=200),
                "last_seen_at": _NOW - timedelta(hours=number % 48),
                "event_count": 80,
                "view_count": 40,
                "cart_count": 9,
                "last_order_at": _NOW - timedelta(days=40),
                "frequency": 3,
                "monetary": Decimal("241.50"),
                "r_score": 4,
                "f_score": 4,
                "m_score": 3,
                "segment": ("champions", "recent repeat buyers", "lapsing one-time buyers")[number % 3],
                "segment_model_version": "1",
                "purchase_propensity": number % 100 / 100,
                "score_model_version": "1",
                "next_best_action": "recommend",
                "consent_analytics": True,
                "consent_personalization": True,
                "consent_marketing": True,
                "as_of": _NOW,
                "updated_at": _NOW,
            },
        )
        yield Document(f"p:{profile.profile_id}", 1, profile.encode())
        for identifier in identifiers:
            yield Document(identifier_key(identifier), 1, orjson.dumps(profile.profile_id))


def _views(number: int) -> Iterator[Entry]:
    for n in range(VIEWS):
        at = int((_NOW - timedelta(hours=5 * n + number % 5)).timestamp() * 1000)
        fact = {"kind": "cart_add" if n == 3 else "view", "product_id": _product(number * 13 + n), "price": 19.9}
        yield Entry(at, f"m-{number}-{n}:{fact['kind']}:0", orjson.dumps(fact))


def _product(number: int) -> str:
    return f"p-{number % MODEL_PRODUCTS:05d}"


def train_model(config: Config) -> None:
    """A recommender over MODEL_PRODUCTS products, trained on what random people did, exported as a training does."""
    random = np.random.default_rng(7)
    rows, people = 200_000, 20_000
    interests = random.integers(0, CATEGORIES, people)
    profile = random.integers(0, people, rows)
    category = np.where(random.random(rows) < 0.7, interests[profile], random.integers(0, CATEGORIES, rows))
    product = (random.zipf(1.4, rows) % (MODEL_PRODUCTS // CATEGORIES)) * CATEGORIES + category
    now_ms = int(_NOW.timestamp() * 1000)
    interactions = Interactions(
        profile=profile,
        product=product,
        session=profile,
        order=np.where(random.random(rows) < 0.1, profile, -1),
        kind=random.choice(len(KINDS), rows, p=[0.75, 0.1, 0.05, 0.1]).astype(np.int8),
        at_ms=np.sort(random.integers(now_ms - 60 * DAY_MS, now_ms, rows)),
        profiles=people,
        products=MODEL_PRODUCTS,
    )
    catalogue = ProductCatalogue(
        product_ids=tuple(_product(number) for number in range(MODEL_PRODUCTS)),
        categories=tuple(f"category-{number % CATEGORIES:02d}" for number in range(MODEL_PRODUCTS)),
        first_seen_ms=np.full(MODEL_PRODUCTS, now_ms - 90 * DAY_MS),
        is_available=np.ones(MODEL_PRODUCTS, dtype=bool),
    )
    base = serving_folder(config) / "recommender"
    write(base, "1", fit(interactions, catalogue, FitSettings(), as_of_ms=now_ms), {"trained_at": _NOW.isoformat()})
    point(base, "1")
