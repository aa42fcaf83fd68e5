"""What a shape is: how many rows a request takes, how it looks, and what its answer says of single rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from lakehouse.exports.rows import Removal, Row

Options = Mapping[str, str]


class Said(NamedTuple):
    """One row to tell."""

    key: str
    row: Row


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call. keys: of the rows in it, in their order. follow: the answer, parsed -> the call that is to follow; None = none is."""

    path: str
    body: Any
    keys: tuple[str, ...]
    method: str = "POST"
    follow: Callable[[Any], "Request | None"] | None = None


def _nobody(_: Request, __: Any) -> dict[str, str]:
    return {}


def _by_key(_: Row, __: Options) -> str | None:
    return None


def _as_it_is(status: int, _: Any) -> int:
    return status


def _faultless(_: Row, __: Options) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a vendor is spoken to.

    most_rows: rows of a request. needs: columns an export must have. options: what it must be told besides.
    upserts, removals: rows -> one request. refused: of an answer that is a success, key -> why that row was not taken all the same; None = some were not, and
    it does not say which.
    status: HTTP's status and the answer -> the status that says what the answer does, where the vendor tells more by the answer than by the status.
    identity: what a removal finds the row by; None = its key. fault: why the row cannot be told at all, and is not sent; None = it can.
    """

    most_rows: int
    most_removals: int
    upserts: Callable[[Sequence[Said], Options], Request]
    removals: Callable[[Sequence[Removal], Options], Request]
    refused: Callable[[Request, Any], Mapping[str, str] | None] = _nobody
    status: Callable[[int, Any], int] = _as_it_is
    identity: Callable[[Row, Options], str | None] = _by_key
    needs: frozenset[str] = field(default=frozenset())
    options: frozenset[str] = field(default=frozenset())
    fault: Callable[[Row, Options], str | None] = _faultless
    content_type: str = "application/json"


def value(one: Any) -> Any:
    """As vendors compare it: money is a number, and no text.

    >>> value(Decimal("12.50"))
    12.5
    """
    return float(one) if isinstance(one, Decimal) else one


def told(row: Row, names: Sequence[str] | None = None, but: Sequence[str] = ()) -> dict[str, Any]:
    """The columns that say something. names: these; None = all. but: not these."""
    wanted = row if names is None else [name for name in names if name in row]
    return {name: value(row[name]) for name in wanted if row[name] is not None and name not in but}
