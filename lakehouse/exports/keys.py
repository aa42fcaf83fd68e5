"""What a row is known by at its destination: typed values, and the text that the ledger has of them. Pure.

A key is of the types that the export's columns have, and of no others. What comes back as something else, from the ledger's JSON or from a
database whose column is of another type, is made a value of these types before it is compared: 1 is "1" where the key is a number, and
12:00 in UTC is 13:00 in Berlin.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

_TRUTHS: Mapping[str, bool] = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def key_text(values: Sequence[Any]) -> str | None:
    """What a row is known by: the text itself, or JSON; None where a part is null, or not a number."""
    if any(value is None or (isinstance(value, float) and not math.isfinite(value)) for value in values):
        return None
    (first, *rest) = values
    return first if not rest and isinstance(first, str) else orjson.dumps(list(values), default=str).decode()


def key_values(text: str, columns: pa.Schema, key: Sequence[str]) -> list[Any]:
    """`key_text` undone: values of the types that the columns of the key have.

    Raises:
        ValueError: the text is of a key of other columns, or of other types.
    """
    is_text = len(key) == 1 and pa.types.is_string(columns.field(key[0]).type)
    told = [text] if is_text else orjson.loads(text)
    if not isinstance(told, list) or len(told) != len(key):
        raise ValueError(f"key: got JSON of another form, expected a list of {len(key)}")
    return typed(told, columns, key)


def typed(values: Sequence[Any], columns: pa.Schema, key: Sequence[str]) -> list[Any]:
    """The values in the types of the key's columns, whatever they came as; null stays null.

    Raises:
        ValueError: one has no such form.
    """
    pairs = zip(values, key, strict=True)
    return [None if value is None else _typed(value, columns.field(name).type) for value, name in pairs]


def _typed(value: Any, type_: pa.DataType) -> Any:
    for is_of, read in _READ:
        if is_of(type_):
            try:
                return read(value, type_)
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"key: got {type(value).__name__}, expected {type_}") from error
    return value


def _text(value: Any, _: pa.DataType) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _boolean(value: Any, _: pa.DataType) -> bool:
    return _TRUTHS[str(value).lower()]


def _whole(value: Any, _: pa.DataType) -> int:
    number = Decimal(str(value))
    if number != number.to_integral_value():
        raise ValueError("a fraction")
    return int(number)


def _decimal(value: Any, type_: pa.DataType) -> Decimal:
    found: Decimal = pa.scalar(Decimal(str(value)), type_).as_py()
    return found


def _time(value: Any, _: pa.DataType) -> datetime:
    """Without a zone it is UTC, as places write it."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(value: Any, _: pa.DataType) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value)
    return value.date() if isinstance(value, datetime) else value


_READ: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]]] = (
    (pa.types.is_string, _text),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, lambda value, _: float(value)),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_timestamp, _time),
    (pa.types.is_date, _day),
)
