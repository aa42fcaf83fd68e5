"""People and products for the decision benchmark: profiles with behaviour in the online store, and a recommender."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson

from lakehouse.config import Config
from lakehouse.online.profiles import OnlineProfile, identifier_key
from lakehouse.online.recent_entries import BEHAVIOUR, MOST_ENTRIES, key_of
from lakehouse.online_store import Document, Entry, OnlineStore

MODEL_PRODUCTS = 5_000
VIEWS = 12
_NOW = datetime.now(UTC)


def user(number: int) -> str:
    return f"u-{number:06d}"


def fill(store: OnlineStore, config: Config, profiles: int) -> None:
    """Put the profiles, their identifiers and what they did lately."""
    store.put(_documents(profiles))
    for number in range(profiles):
        identifier = ("anonymous_id", f"a-{number:06d}")
        store.append(key_of(BEHAVIOUR, identifier), list(_views(number)), keep=MOST_ENTRIES)


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
            first_seen_at=_NOW - timedelta(days=200),
            last_seen_at=_NOW - timedelta(hours=number % 48),
            event_count=80,
            view_count=40,
            cart_count=9,
            last_order_at=_NOW - timedelta(days=40),
            frequency=3,
            monetary=Decimal("241.50"),
            r_score=4,
            f_score=4,
            m_score=3,
            segment=("champions", "recent repeat buyers", "lapsing one-time buyers")[number % 3],
            segment_model_version="1",
            purchase_propensity=number % 100 / 100,
            churn_risk=None,
            clv=None,
            score_model_version="1",
            next_best_action="recommend",
            consent_analytics=True,
            consent_personalization=True,
            consent_marketing=True,
            as_of=_NOW,
            updated_at=_NOW,
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
    """A recommender over MODEL_PRODUCTS products, exported as a training does."""
