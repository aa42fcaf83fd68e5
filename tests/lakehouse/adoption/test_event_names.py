"""Words of a column of events: which of them are ours, and what stays a name of the sender's own."""

from decimal import Decimal
from pathlib import Path

from tests.lakehouse.adoption.test_adopt import documents, proposed, source_of, table, worth_of


def test_words_that_shops_use_are_our_events_where_a_row_has_what_they_need(tmp_path: Path) -> None:
    head = "event_time,event_type,product_id,price,user_id,user_session"
    rows = [
        f"2024-01-10 10:00:{n} UTC,{('view', 'cart', 'purchase', 'zoom')[n % 4]},p{n},{n}.50,u{n % 9},s"
        for n in range(10, 60)
    ]
    path = table(tmp_path / "events.csv", head, *rows)
    looked, draft = proposed(path)
    assert [one["event"] for one in documents(path, source_of(looked, draft))[:4]] == [
        "purchase",
        "zoom",
        "Product Viewed",
        "Product Added",
    ]
    assert [one.id for one in draft.questions] == ["orders"]
    looked, draft = proposed(path, {"orders": "yes"})
    purchase, zoom = documents(path, source_of(looked, draft))[:2]
    assert (purchase["event"], worth_of(purchase)) == ("Order Completed", Decimal("10.50"))
    assert not {"order_id", "revenue"} & zoom["properties"].keys()  # type: ignore[attr-defined]


def test_an_order_has_its_number_and_amount_and_so_has_what_is_said_beside_it(tmp_path: Path) -> None:
    rows = [f"2024-01-10 10:00:{n} UTC,{('purchase', 'quote')[n % 2]},o{n},{n}.50,u{n % 9}" for n in range(10, 60)]
    path = table(tmp_path / "events.csv", "event_time,event_type,order_id,total,user_id", *rows)
    looked, draft = proposed(path)
    purchase, quote = documents(path, source_of(looked, draft))[:2]
    assert (purchase["event"], quote["event"]) == ("Order Completed", "quote")
    assert (purchase["properties"]["order_id"], worth_of(purchase)) == ("o10", Decimal("10.50"))  # type: ignore[index]
    assert (quote["properties"]["order_id"], worth_of(quote)) == ("o11", Decimal("11.50"))  # type: ignore[index]


def test_purchases_that_share_their_orders_number_are_no_orders_of_their_own(tmp_path: Path) -> None:
    rows = [f"17040672{n},v{n % 7 + 10},transaction,i{n},o{n // 2},{n}.50" for n in range(10, 60)]
    path = table(tmp_path / "events.csv", "timestamp,visitorid,event,itemid,transactionid,price", *rows)
    looked, draft = proposed(path)
    assert {one["event"] for one in documents(path, source_of(looked, draft))} == {"transaction"}
    assert any("several rows have one transactionid" in told for told in draft.assumed)
