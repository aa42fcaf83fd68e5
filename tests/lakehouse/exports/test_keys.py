from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.exports.keys import key_text, key_values

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIME, MONEY = pa.timestamp("us", tz="UTC"), pa.decimal128(18, 2)


def of(type_: pa.DataType) -> pa.Schema:
    return pa.schema([("id", type_)])


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (pa.string(), "[ann", "[ann"),
        (pa.string(), "1", "1"),
        (pa.int64(), 1, "[1]"),
        (pa.bool_(), True, "[true]"),
        (pa.float64(), 1.5, "[1.5]"),
        (MONEY, Decimal("12.50"), '["12.50"]'),
        (TIME, NOON, '["2026-03-01T12:00:00+00:00"]'),
        (pa.date32(), date(2026, 3, 1), '["2026-03-01"]'),
    ],
)
def test_a_key_of_each_type_comes_back_as_it_was(type_: pa.DataType, value: Any, text: str) -> None:
    assert key_text([value]) == text
    (back,) = key_values(text, of(type_), ("id",))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (pa.int64(), '["7"]', 7),
        (pa.int64(), "[7.0]", 7),
        (pa.bool_(), "[1]", True),
        (MONEY, "[12.5]", Decimal("12.50")),
        (TIME, '["2026-03-01 13:00:00+01:00"]', NOON),
        (TIME, '["2026-03-01T12:00:00"]', NOON),
    ],
)
def test_a_key_of_before_is_read_in_the_types_of_now(type_: pa.DataType, text: str, value: Any) -> None:
    assert key_values(text, of(type_), ("id",)) == [value]


def test_several_columns_are_each_of_their_own_type() -> None:
    schema = pa.schema([("id", pa.string()), ("orders", pa.int64()), ("at", TIME)])
    text = '["ann",3,"2026-03-01T12:00:00+00:00"]'
    assert key_values(text, schema, ("id", "orders", "at")) == ["ann", 3, NOON]
    assert key_text(["ann", 3, NOON]) == text


@pytest.mark.parametrize("text", ["ann", "3", "[3,4]", '["x"]', "[1.5]", '{"id":3}'])
def test_a_key_of_other_columns_than_there_are_now_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|column"):
        key_values(text, of(pa.int64()), ("id",))


def test_what_is_no_value_is_no_key() -> None:
    assert [key_text(values) for values in ([None], ["a", None], [float("nan")])] == [None, None, None]
