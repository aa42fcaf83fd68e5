"""Which messages are facts of moments, and what such a fact says."""

from typing import Any

import pytest

from lakehouse.config import load
from lakehouse.events.reader import Reader
from lakehouse.moments.fact_reader import MOST_IDENTIFIERS, FactReader
from tests.rows import ARRIVAL, order, track

CONFIG = load("dev", environ={})
FACTS = FactReader(CONFIG, Reader(CONFIG))


@pytest.mark.parametrize(
    ("message", "item"),
    [
        (order("o-1"), "o-1"),
        (track("Product Added", properties={"product_id": "p-1"}), "p-1"),
        (track("Product Added", properties={"products": [{"product_id": "p-2"}]}), "p-2"),
        (track("Product Added", properties={"products": [{"product_id": "p-2"}, {"product_id": "p-3"}]}), None),
        (track("Product Added", properties={"products": [{"sku": "p-4"}]}), "p-4"),
        (track("Product Added", properties={}), None),
    ],
)
def test_a_fact_names_its_product_or_order(message: dict[str, Any], item: str | None) -> None:
    fact = FACTS.of(message, ARRIVAL)
    assert fact is not None
    assert (fact.item, fact.event, fact.id) == (item, message["event"], message["messageId"])


def test_the_strongest_identifier_comes_first_and_few_are_kept() -> None:
    fact = FACTS.of(track(userId="u-1", anonymousId="a-1", context={"traits": {"email": "a@example.com"}}), ARRIVAL)
    assert fact is not None
    assert fact.who[0] == ("user_id", "u-1")
    ranks = [CONFIG.identity.rules[type_].priority for type_, _ in fact.who]
    assert ranks == sorted(ranks)
    assert len(fact.who) <= MOST_IDENTIFIERS


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        {**track(), "type": "page"},
        track(messageId=None),
        track(anonymousId=None),
        track(context={"userAgent": "Googlebot/2.1"}),
    ],
)
def test_what_is_no_track_event_of_a_person_is_no_fact(message: Any) -> None:
    assert FACTS.of(message, ARRIVAL) is None
