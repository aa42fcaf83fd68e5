"""CDNOW: every purchase of a cohort of 23,570 customers, January 1997 to June 1998.

The file CDNOW_master.txt of the PyPI package `lifetimes`; data of Fader and Hardie, "Forecasting Repeat Sales at
CDNOW", Interfaces 31 (2001). One row is one order: Order Completed with its row number as id, at noon UTC of its date
(the file has dates only). userId is the customer id as printed, revenue the printed dollars: no float on the way.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from lakehouse.demo.datasets.packages import read_from_wheel
from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message, routing_key

REQUIREMENT = "lifetimes==0.11.3"
MEMBER = "lifetimes/datasets/CDNOW_master.txt"
ORDERS, CUSTOMERS, REVENUE_CENTS = 69_659, 23_570, 250_031_563
_HEADER = ["customer_id", "date", "number_of_cds", "dollar_value"]


class Purchase(NamedTuple):
    """One row of the file, as text; `row` counts from 1 below the header."""

    row: int
    customer_id: str
    date: str  # YYYYMMDD
    cds: str
    dollars: str


def messages(n_events: int | None, seed: int) -> Iterator[Message]:
    """Orders by date, then by row; the first `n_events`. The seed changes nothing: the data is real."""
    rows = sorted(purchases(), key=lambda purchase: (purchase.date, purchase.row))
    return islice(map(_message, rows), n_events)


def count(n_events: int | None) -> int:
    """How many messages come."""
    return ORDERS if n_events is None else min(n_events, ORDERS)


def purchases() -> list[Purchase]:
    """The file's rows, in file order.

    Raises:
        SourceError: when the file is not the one whose figures are known.
    """
    header, *lines = read_from_wheel(REQUIREMENT, MEMBER).decode("ascii").splitlines()
    rows = [Purchase(number, *line.split()) for number, line in enumerate(lines, start=1)]
    figures = (
        len(rows),
        len({row.customer_id for row in rows}),
        sum(int(row.dollars.replace(".", "")) for row in rows),
    )
    if header.split() != _HEADER or figures != (ORDERS, CUSTOMERS, REVENUE_CENTS):
        raise SourceError(
            f"{REQUIREMENT}: another file, got (orders, customers, cents) {figures}, expected "
            f"{(ORDERS, CUSTOMERS, REVENUE_CENTS)}. Delete the cached wheel and run again"
        )
    return rows


def _message(purchase: Purchase) -> Message:
    day = f"{purchase.date[:4]}-{purchase.date[4:6]}-{purchase.date[6:]}"
    at = f"{day}T12:00:00.000Z"
    order_id = f"cdnow-{purchase.row:05d}"
    text = (
        f'{{"messageId":"{order_id}","type":"track","event":"Order Completed","userId":"{purchase.customer_id}",'
        f'"channel":"server","originalTimestamp":"{at}","sentAt":"{at}","receivedAt":"{at}",'
        f'"properties":{{"order_id":"{order_id}","revenue":{purchase.dollars},"currency":"USD",'
        f'"products":[{{"product_id":"cd","quantity":{purchase.cds}}}]}}}}'
    )
    noon = datetime(int(day[:4]), int(day[5:7]), int(day[8:]), 12, tzinfo=UTC)
    return Message(routing_key(None, purchase.customer_id), text.encode(), noon)
