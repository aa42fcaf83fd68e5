"""What real senders send (ingest.jsonl, from public bug reports of this trade): nobody's order, consent or person is lost by it.

Every record is tried in one Spark run; a case is named by what went wrong for a person.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.events.parse import parse
from lakehouse.events.reader import Reader
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.silver import orders
from tests.rows import records

CASES = [json.loads(line) for line in Path(__file__).with_name("ingest.jsonl").read_text("utf-8").splitlines()]
ARRIVAL = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
NOON = ARRIVAL.replace(tzinfo=None)
CONFIG = load("dev", environ={"STITCHLAKE__MONEY__RATES__EUR": "1.10"})
NUMBERED = [f"{n}-{case['case']}" for n, case in enumerate(CASES)]

EITHER = {"3-I01-epoch-seconds": "accepted"}  # microseconds: read right, or refused


@pytest.fixture(scope="module")
def rows(_session: SparkSession) -> list[Row]:
    """What parse makes of each line, in order."""
    return (
        parse(records(_session, [case["value"] for case in CASES], arrival=ARRIVAL), CONFIG).orderBy("offset").collect()
    )


def of(rows: list[Row], prefix: str) -> list[Row]:
    return [row for row, case in zip(rows, CASES, strict=True) if case["case"].startswith(prefix)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=NUMBERED)
def test_each_record_is_taken_or_refused_as_it_should_be(rows: list[Row], number: int) -> None:
    expected = EITHER.get(NUMBERED[number], CASES[number]["expect"].removeprefix("quarantine:"))
    assert (rows[number]["reason"] or "accepted") == expected, CASES[number]["why"]


@pytest.mark.parametrize("number", range(len(CASES)), ids=NUMBERED)
def test_lake_and_online_side_read_it_alike(rows: list[Row], number: int) -> None:
    row = rows[number]
    if row["reason"] is not None:
        return
    reader = Reader(CONFIG)
    message = reader.document(CASES[number]["value"].encode("utf-8", "surrogatepass"))
    assert reader.identifiers(message) == [(one["type"], one["token"]) for one in row["identifiers"]]
    assert reader.occurred_at(message, ARRIVAL).replace(tzinfo=None) == row["occurred_at"]
    assert reader.is_bot(message) == row["is_bot"]
    if row["type"] == "track":
        assert reader.event_name(message) == row["event"]
    said = reader.consent(message)
    told = row["consent"]
    assert (said is None) == (told is None)
    assert said is None or said.consent._asdict() == {name: told[name] for name in said.consent._fields}


def fields(rows: list[Row], *names: str) -> list[Any]:
    return [
        tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in rows if row["reason"] is None
    ]


def test_seconds_are_not_read_as_milliseconds(rows: list[Row]) -> None:
    taken = fields(of(rows, "I01"), "occurred_at")
    assert {time.date().isoformat() for time in taken} == {"2026-11-27"}


def test_a_clock_that_cannot_be_moves_no_event(rows: list[Row]) -> None:
    absurd = set(fields(of(rows, "I03"), "occurred_at"))
    assert absurd <= {NOON, datetime(2026, 11, 27, 10, 20)}
    assert set(fields(of(rows, "I04"), "occurred_at")) == {NOON}
    assert set(fields(of(rows, "I05"), "occurred_at")) == {NOON - timedelta(seconds=1)}


def test_what_is_left_empty_is_told(rows: list[Row]) -> None:
    coupon, none, compared = of(rows, "I07")
    assert (coupon["revenue"], coupon["coupon"], coupon["faults"]) == (
        Decimal("80.00"), None, ["wrong_type|properties.coupon: text expected"],
    )  # fmt: skip
    assert none["faults"] is None or none["coupon"] is None
    assert compared["product_id"] is None
    assert [row["faults"] for row in of(rows, "I06")] == [None] * 3
    assert [row["faults"] for row in of(rows, "I08")] == [None] * 2


def test_a_telephone_called_cubot_is_no_robot_and_googlebot_is(rows: list[Row]) -> None:
    assert fields(of(rows, "I10"), "is_bot") == [False, False, False, True]


def test_all_spellings_of_an_event_are_one(rows: list[Row]) -> None:
    assert fields(of(rows, "I11"), "event") == ["Order Completed"] * 4 + ["Order Refunded"]


def test_one_id_however_it_was_pasted(rows: list[Row]) -> None:
    assert set(fields(of(rows, "I13"), "user_id")) == {"u-i13"}
    whole, *_ = of(rows, "I14")
    assert fields(of(rows, "I14"), "user_id")[:2] == ["12345", "12345"]
    assert fields(of(rows, "I14"), "user_id", "order_id")[2:] == [
        ("900719925474099312345", "202611270000012345671"), ("900719925474099312346", "202611270000012345672"),
    ]  # fmt: skip
    assert whole["reason"] is None


def test_half_an_emoji_costs_nobody_their_traits(rows: list[Row]) -> None:
    half, nul, *_ = of(rows, "I15")
    assert half["traits"]["bio"] == "loves tea \ufffd"
    assert half["faults"] == ["broken_text|document: whole characters expected"]
    assert "\x00" not in str(nul["traits"])


def test_one_moment_however_it_is_written(rows: list[Row]) -> None:
    times = fields(of(rows, "I16"), "occurred_at")
    assert {time.replace(microsecond=0) for time in times} == {datetime(2026, 11, 27, 10)}


def test_consent_is_heard_by_whatever_name(rows: list[Row]) -> None:
    purposes = ("analytics", "personalization", "marketing")
    said = {
        row["message_id"]: tuple(row["consent"][name] for name in purposes)
        for row in rows
        if row["reason"] is None and row["consent"]
    }
    assert said["p01-1"] == (False, False, False)
    assert said["p01-2"][0] is False
    assert said["p01-2"][2] is False
    assert said["p02-2"] == (None, None, True)
    assert said["p06-1"] == (False, False, False)


def test_nobody_is_a_robot_for_the_name_of_their_telephone(rows: list[Row]) -> None:
    assert fields(of(rows, "Q01"), "is_bot") == [False] * 4
    assert fields(of(rows, "Q02"), "is_bot") == [False] * 2


def test_one_moment_and_one_person_however_their_program_writes_them(rows: list[Row]) -> None:
    assert set(fields(of(rows, "Q05"), "occurred_at")) == {NOON - timedelta(hours=2)}
    encoded, plain, spreadsheet, remarked, number = of(rows, "Q06")
    assert encoded["actor_id"] == plain["actor_id"]
    assert "q06.org" not in str((encoded["user_id"], encoded["identifiers"]))
    assert spreadsheet["actor_id"] == remarked["actor_id"]
    assert {one["type"] for one in spreadsheet["identifiers"]} == {"phone", "user_id"}
    assert number["user_id"] == "100000"


def test_a_refusal_is_heard_in_the_shape_of_any_tool(rows: list[Row]) -> None:
    refused = of(rows, "Q07")
    assert {tuple(row["consent"])[2:] for row in refused} == {(False, False, False)}
    assert refused[-1]["consent_basis"]["source"] == "tcf"
    assert refused[-1]["faults"] is None


def test_a_purchase_under_another_name_is_told(rows: list[Row]) -> None:
    told = "not_counted|event: the name of an order event expected, for it speaks of an order"
    assert fields(of(rows, "Q09"), "event", "faults") == [("purchase", [told]), ("Order Completed", None)]


def test_a_time_is_read_right_or_not_at_all(rows: list[Row]) -> None:
    assert fields(of(rows, "R01"), "occurred_at") == [NOON]
    assert set(fields(of(rows, "R02"), "occurred_at")) == {NOON - timedelta(hours=2)}


def test_what_an_order_is_worth_without_a_word_of_it_is_told(rows: list[Row]) -> None:
    assert [row["faults"] for row in of(rows, "R03")] == [None, None, ["missing_field|properties.products[].price"]]
    assert [row["faults"] is None for row in of(rows, "R04")] == [False] * 4


def test_one_mailbox_is_one_person_and_a_guess_is_nobody(rows: list[Row]) -> None:
    assert set(fields(of(rows, "R08"), "user_id")) == {"7b0e0b4a-0b8c-4b7e-8b69-0000000000a8"}
    types = [{one["type"] for one in row["identifiers"]} for row in of(rows, "R09")]
    assert types == [{"user_id"}] * 4 + [{"email", "user_id"}] * 3
    assert len({row["actor_id"] for row in of(rows, "R09")[4:]}) == 1


def test_a_refusal_is_heard_whatever_it_is_wrapped_in(rows: list[Row]) -> None:
    assert {tuple(row["consent"])[2:] for row in of(rows, "R10")} == {(False, False, False)}
    heard = [row["consent"] and tuple(row["consent"])[2:] for row in of(rows, "R11")]
    assert heard == [(None, None, False)] * 3 + [None, (None, None, None)]


ORDERS = {
    "m01-o1": "80.00", "m02-o1": "0.00", "m03-o1": "0.00", "m04-o1": None, "m10-o1": "50.00",
    "m07-o1": "1.70", "m07-o2": "20.00", "m07-o3": "0.38", "m11-o1": "0.00", "m11-o2": "0.00",
    "q02-o1": "20.00", "q03-o1": "30.00", "q08-o2": "11.00", "q09-o1": "10.00",
    "r03-o1": "15.00", "r03-o2": "10.00", "r03-o3": "10.00", "r04-o3": "10.00", "r04-o4": "12.00",
    "r05-o1": "70.00", "r05-o2": "70.00", "r05-o3": "100.00", "r05-o4": "40.00", "r05-o5": "100.00",
    "r06-o1": "119.00", "r06-o2": "100.00", "r06-o3": "100.00", "r06-o4": None, "r06-o5": "50.00", "r06-o6": "99.00",
    "i07-o1": "80.00", "i08-o1": "64.50", "i09-o1": "33.00", "i06-o3": "25.00",
}  # fmt: skip


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "reversed"])
def test_what_an_order_is_worth(spark: SparkSession, is_reversed: bool) -> None:
    values = [case["value"] for case in CASES]
    sent = records(spark, values[::-1] if is_reversed else values, arrival=ARRIVAL)
    accepted = parse(sent, CONFIG).where(F.col("reason").isNull() & ~F.col("is_bot"))
    settled = orders.transform(leaf(with_day(accepted), rates=CONFIG.money.rates)).collect()
    worth = {row["order_id"]: row["revenue"] for row in settled}
    assert {order: None if worth[order] is None else str(worth[order]) for order in ORDERS} == ORDERS
    assert {order for order in worth if order.startswith(("m05", "q04", "r01", "r04-o1", "r04-o2"))} == set()


def test_one_number_of_two_shops_is_two_orders_where_the_shop_is_declared(spark: SparkSession) -> None:
    config = load("dev", environ={"STITCHLAKE__EVENTS__ORDER_SCOPE": "affiliation"})
    values = [case["value"] for case in CASES if case["case"].startswith(("M06", "M01"))]
    rows = parse(records(spark, values, arrival=ARRIVAL), config).select("order_id").distinct().collect()
    assert {row["order_id"] for row in rows} == {"Shop Berlin/1017", "Shop Paris/1017", "m01-o1"}
