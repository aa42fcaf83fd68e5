"""Properties that a shop declares in conf/events.yaml: each becomes a typed column of silver.events, named `p_` and its name.

A value is read from what silver.events.properties holds, tokens included: so the column of an event is the same whether it was there when
the event came or is filled later. What cannot be read as the declared type leaves the column empty, and is told.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from lakehouse.config import PrivacyConfig
from lakehouse.config.declarations import Declared, checked, read_document, refuse
from lakehouse.errors import ContractError
from lakehouse.events import reasons as R
from lakehouse.events.amounts import number
from lakehouse.events.clock import instant
from lakehouse.events.document import at, is_nested, says_nothing, text_of
from lakehouse.events.personal_data import named, spelling
from lakehouse.events.verdict import fault
from lakehouse.tables.contract import Column, Table, optional

SECTIONS = ("properties", "sources", "events")  # of conf/events.yaml; the last two are the tracking plan
PREFIX = "p_"
NUMBER = "decimal(38,10)"
_STEP, _MOST = Decimal("1e-10"), Decimal("9" * 28)
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**63 - 1
_COLUMN_TYPES = {
    "string": "string",
    "number": NUMBER,
    "integer": "bigint",
    "boolean": "boolean",
    "timestamp": "timestamp",
}
Kind = Literal["string", "number", "integer", "boolean", "timestamp"]


class DeclaredProperty(Declared):
    """path: names of objects on the way and of the field, joined by dots; None = the name. events: of which events; none = of every one."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    type: Kind
    description: str = Field(min_length=1, max_length=300)
    path: str | None = Field(default=None, pattern=r"^[^.]+(\.[^.]+){0,9}$", max_length=200)
    events: tuple[str, ...] = Field(default=(), max_length=100)

    @property
    def place(self) -> str:
        return self.path or self.name

    @property
    def column(self) -> Column:
        return optional(
            PREFIX + self.name, _COLUMN_TYPES[self.type], f"{self.description}; properties.{self.place}, null = none"
        )


class Values(NamedTuple):
    """columns: a value of each declared property, in their order; times in microseconds since 1970. faults: what could not be read."""

    columns: tuple[Any, ...]
    faults: list[str]


def read_declared(path: Path, privacy: PrivacyConfig) -> tuple[DeclaredProperty, ...]:
    """Read and check the file.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    place = f"{path.name}: properties"
    entries = checked(read_document(path, *SECTIONS).get("properties"), DeclaredProperty, place, faults)
    plain = {spelling(name) for name in privacy.plain_fields}
    for number_, entry in entries:
        leaf = entry.place.rpartition(".")[2]
        if entry.type != "string" and named(leaf).kind is not None and spelling(leaf) not in plain:
            faults.append(
                f"{place}[{number_}].type: got {entry.type}, expected string: '{leaf}' is personal, and tokens stand there. Declare a "
                "string, or name it in privacy.plain_fields"
            )
    refuse(faults)
    return tuple(entry for _, entry in entries)


def with_declared(table: Table, declared: Sequence[DeclaredProperty]) -> Table:
    """The contract, with the declared columns behind its own."""
    if not declared:
        return table
    return dataclasses.replace(table, columns=(*table.columns, *(one.column for one in declared)))


def check_stored(table: Table, stored: Mapping[str, str]) -> None:
    """Raises ContractError where a column is stored with another type. `stored`: column -> Spark type."""
    for column in table.columns:
        if column.name.startswith(PREFIX) and stored.get(column.name, column.type) != column.type:
            raise ContractError(
                f"events.yaml: {column.name.removeprefix(PREFIX)}: got {column.type}, expected {stored[column.name]}, as {table.name} has "
                "stored it. Declare that type again, or another name"
            )


_NONE = Values((), [])


class PropertyReader:
    """Reads them. `spelled`: an event's name in our spelling. Thread-safe."""

    def __init__(self, declared: Sequence[DeclaredProperty], spelled: Callable[[str], str | None]) -> None:
        self._nothing: tuple[Any, ...] = (None,) * len(declared)
        self._declared = [(one, frozenset(map(spelled, one.events)), _READ[one.type]) for one in declared]

    def column(
        self, events: Sequence[str | None], properties: Sequence[Mapping[str, Any]], verdicts: Sequence[str | None]
    ) -> list[Values | None]:
        """Of many events, None of those that are rejected. `properties`: as silver.events has them."""
        if not self._declared:
            return [_NONE if verdict is None else None for verdict in verdicts]
        told = zip(events, properties, verdicts, strict=True)
        return [self.read(event, sent) if verdict is None else None for event, sent, verdict in told]

    def read(self, event: str | None, properties: Mapping[str, Any]) -> Values:
        """Of one."""
        columns, faults = list(self._nothing), []
        for place, (one, events, read) in enumerate(self._declared):
            value = at(properties, one.place) if not events or event in events else None
            if says_nothing(value):
                continue
            columns[place] = None if is_nested(value) else read(value)
            if columns[place] is None:
                faults.append(fault(R.WRONG_TYPE, f"properties.{one.place}: {one.type} expected"))
        return Values(tuple(columns), faults)


def _number(value: Any) -> Decimal | None:
    return None if value.__class__ is bool else number((text_of(value) or "").strip(" "), _STEP, _MOST)


def _integer(value: Any) -> int | None:
    read = _number(value)
    if read is None or read != read.to_integral_value() or not _LEAST_INTEGER <= read <= _MOST_INTEGER:
        return None
    return int(read)


def _boolean(value: Any) -> bool | None:
    said = (
        value
        if value.__class__ is bool
        else {"true": True, "false": False}.get((text_of(value) or "").strip(" ").lower())
    )
    return said if said.__class__ is bool else None


def _timestamp(value: Any) -> int | None:
    return None if value.__class__ is bool else instant((text_of(value) or "").strip(" "))


_READ: dict[str, Callable[[Any], Any]] = {
    "string": text_of,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "timestamp": _timestamp,
}
