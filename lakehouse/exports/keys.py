"""What a row is known by at its destination: typed values, and the text that the ledger has of them. Pure.

A key is of the types that the export's columns have, and of no others. What comes back out of the ledger's JSON is made a value of these types again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

_TRUTHS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


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
    pairs = zip(told, key, strict=True)
    return [None if value is None else _typed(value, columns.field(name).type) for value, name in pairs]


def _typed(value: Any, type_: pa.DataType) -> Any:
    for is_of, read in _READ:
        if is_of(type_):
            try:
                return read(value, type_)
            except (ArithmeticError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"key: got {type(value).__name__}, expected {type_}") from error
    return value


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
    """Without a zone it is UTC."""
    found = datetime.fromisoformat(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


_READ: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any, pa.DataType], Any]]] = (
    (pa.types.is_string, lambda value, _: str(value)),
    (pa.types.is_boolean, _boolean),
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, lambda value, _: float(value)),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_timestamp, _time),
    (pa.types.is_date, lambda value, _: date.fromisoformat(value)),
)
