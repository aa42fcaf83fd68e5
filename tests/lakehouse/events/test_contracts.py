"""What an event of a name needs is one declaration: the verdict follows from it."""

import pytest

from lakehouse.config import load
from lakehouse.events import contracts, schema
from lakehouse.events.contracts import CONTRACTS, ORDER_COMPLETED, names, names_by_need, spelling, spellings


def test_each_name_is_declared_once_and_needs_fields_that_are_read() -> None:
    assert len({contract.name for contract in CONTRACTS}) == len(CONTRACTS)
    assert {field for contract in CONTRACTS for field in contract.needs} <= schema.TEXTS.keys()


def test_the_events_that_need_a_field_are_found_by_it() -> None:
    assert names_by_need()["order_id"] == ("Order Completed", "Order Updated", "Order Cancelled", "Order Refunded")
    assert names(lambda contract: contract.needs_value) == (ORDER_COMPLETED.name,)
    assert "Product Viewed" in names()


def test_a_need_that_two_events_share_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    needing = contracts.EventContract(name="Parcel Sent", needs=("order_id", "channel"))
    monkeypatch.setattr(contracts, "CONTRACTS", (ORDER_COMPLETED, needing))
    assert names_by_need() == {"order_id": ("Order Completed", "Parcel Sent"), "channel": ("Parcel Sent",)}


@pytest.mark.parametrize("sent", ["order completed", "ORDER COMPLETED", "Order  Completed", "order_completed", "orderCompleted",
                                  "Order-Completed", "Completed Order", "completed_order", "Order Completed\u200b",
                                  "Order\u00a0Completed", "Order \u2013 Completed"])  # fmt: skip
def test_a_name_is_known_in_any_spelling(sent: str) -> None:
    older = load("dev", environ={}).events.names
    assert spellings(older).get(spelling(sent)) == ORDER_COMPLETED.name


def test_whatever_is_said_of_an_order_is_known_to_be() -> None:
    said = {name for name in names() if contracts.is_of_order("track", name)}
    assert said == {"Order Completed", "Order Updated", "Order Cancelled", "Order Refunded"}
    assert not contracts.is_of_order("page", "Order Completed")


def test_no_two_names_have_a_spelling_in_common() -> None:
    assert len({spelling(name) for name in names()}) == len(names())
