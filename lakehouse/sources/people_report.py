"""What a file of people is like, before it is taken in: who is in it more than once, what is missing, what stands out. Counts and rows, never a value.

Two records are one person's where they share an identifier in the form every table knows it by (lakehouse/events/identifiers.py). That is what
the file says by itself; in the lake, who is joined with whom is silver.identity_map's to say.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lakehouse.events.reader import Reader
from lakehouse.identity.limited_union import find
from lakehouse.sources.column_profile import MOST_ROWS, Column, Measure, is_implausible
from lakehouse.sources.digests import digest
from lakehouse.sources.examination import NO_HEADER, shown_name
from lakehouse.sources.fields import FieldValues, number_of
from lakehouse.sources.history import identified
from lakehouse.sources.imputation import Typical
from lakehouse.sources.record import Record
from lakehouse.sources.source import Source

_ARE_NUMBERS = 0.95  # share of a column's cells that are numbers, for it to be one of numbers
_MOST_SHAPES = 3  # of a column that are told


@dataclass(kw_only=True)
class SharedIdentifier:
    """values: different ones. again: records that carry one that an earlier record carries. most: records that have one in common."""

    values: int = 0
    again: int = 0
    most: int = 0


@dataclass(kw_only=True)
class PeopleReport:
    """unreadable: records nobody can read. the_same: records that say the very same as an earlier one. people: groups of records that share an identifier, or have none.

    again: rows of the first records of a person who was there before. columns: by name. far: column or field -> rows whose number stands far out.
    ahead: the same of times before 1900 or ahead. imputed: field -> records it is filled in. fills: what with; not for eyes, it is a value.
    """

    records: int = 0
    unreadable: int = 0
    the_same: int = 0
    people: int = 0
    again: list[int] = field(default_factory=list)
    shared: dict[str, SharedIdentifier] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    far: dict[str, list[int]] = field(default_factory=dict)
    ahead: dict[str, list[int]] = field(default_factory=dict)
    imputed: Counter[str] = field(default_factory=Counter)
    fills: dict[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it is stored: counts, shares, shapes, and the first rows of what stands out."""
        readable = max(self.records - self.unreadable, 1)
        return {
            "records": self.records,
            "unreadable": self.unreadable,
            "people": self.people,
            "say_the_very_same": self.the_same,
            "of_people_who_were_there_before": {"first_rows": self.again},
            "identifiers": {
                type_: {"values": one.values, "records_that_share": one.again, "most_in_common": one.most}
                for type_, one in sorted(self.shared.items())
            },
            "columns": {
                name: {
                    "filled": one.filled,
                    "share": round(one.filled / readable, 4),
                    "shapes": dict(one.shapes.most_common(_MOST_SHAPES)),
                }
                for name, one in self.columns.items()
            },
            "outliers": {name: _rows(rows) for name, rows in self.far.items()},
            "implausible_times": {name: _rows(rows) for name, rows in self.ahead.items()},
            "imputed": dict(self.imputed),
        }


def people_report(records: Iterable[Record], source: Source, now: int) -> PeopleReport:
    """`records`: of one file. `now`: microseconds since 1970."""
    observer = _Observer(source, now)
    for record, record_id, times in identified(iter(records)):
        observer.take(record, record_id, times)
    return observer.report()


def lines(file: str, report: PeopleReport) -> Iterator[str]:
    """The report, for whoever runs the import."""
    yield f"{file}: {report.records:,} records, {report.people:,} people by their identifiers, {report.the_same:,} say the very same as another"
    for type_, one in sorted(report.shared.items()):
        yield f"  {type_:<20}{one.values:>10,} values, {one.again:,} records share one with an earlier record, {one.most:,} at most have one in common"
    readable = max(report.records - report.unreadable, 1)
    for name, column in report.columns.items():
        shapes = ", ".join(f"{said} ({count:,})" for said, count in column.shapes.most_common(_MOST_SHAPES))
        yield f"  {name[:30]:<30}{column.filled / readable:>7.1%} filled   {shapes}"
    for what, found in (("stand far out", report.far), ("are times before 1900 or ahead", report.ahead)):
        for name, rows in found.items():
            first = ", ".join(map(str, rows[:MOST_ROWS]))
            yield f"  {name}: {len(rows):,} {what}, in rows {first}{' and others' if len(rows) > MOST_ROWS else ''}"
    for name, count in report.imputed.items():
        yield f"  {name}: missing in {count:,} records, and filled as the source declares"


class _Observer:
    def __init__(self, source: Source, now: int) -> None:
        self._source = source
        self._now = now
        self._reader = Reader(source.config)
        self._fields, self._reads = source.mapping.fields, source.mapping.reads
        self._typical = Typical(source.mapping.imputations)
        self._report = PeopleReport()
        self._columns: dict[str, Column] = {}
        self._measures: dict[str, Measure] = {}
        self._ahead: dict[str, list[int]] = {}
        self._empty: Counter[str] = Counter()
        self._is_any_filled = False
        self._groups = _Groups()

    def take(self, record: Record, record_id: str, times: int) -> None:
        report = self._report
        report.records += 1
        report.the_same += times > 1
        if record.content is None:
            report.unreadable += 1
            return
        for name, value in record.content.items():
            self._columns.setdefault(name, Column()).take(value, record.row, self._now)
            if not self._reads(name) and isinstance(value, str | int | float):
                self._measure(name, number_of(str(value).strip(), self._source.format.decimal), record.row)
        if self._fields is not None:
            self._take_fields(self._fields.read(record.content), record.row)
        mapped = self._source.mapped(record, record_id)
        identifiers = self._reader.identifiers(mapped.document) if mapped.document is not None else []
        if self._groups.join(identifiers) and len(report.again) < MOST_ROWS:
            report.again.append(record.row)

    def report(self) -> PeopleReport:
        report = self._report
        report.people = self._groups.count
        report.shared = self._groups.shared()
        if self._is_any_filled or not self._columns:
            report.columns = {shown_name(name): column for name, column in self._columns.items()}
        else:  # then what its columns are called may be values
            report.columns = {NO_HEADER: Column()}
        ahead = {name: column.implausible for name, column in self._columns.items() if name not in self._ahead}
        report.ahead = {shown_name(name): rows for name, rows in {**ahead, **self._ahead}.items() if rows}
        report.far = {
            shown_name(name): rows
            for name, one in self._measures.items()
            if self._is_of_numbers(name) and (rows := one.outliers())
        }
        report.fills = self._typical.values()
        fills = {**self._source.mapping.fills, **report.fills}
        report.imputed = Counter({name: self._empty[name] for name in fills if self._empty[name]})
        return report

    def _take_fields(self, read: FieldValues, row: int) -> None:
        self._typical.take(read)
        types = {} if self._fields is None else self._fields.types
        for name, value in read.values.items():
            if value is None:
                self._empty[name] += name not in read.spoilt
                continue
            self._is_any_filled = True
            if types[name] == "number":
                self._measure(name, value, row)
            elif types[name] == "time" and isinstance(value, int) and is_implausible(value, self._now):
                self._ahead.setdefault(name, []).append(row)

    def _measure(self, name: str, number: Any, row: int) -> None:
        if number is not None:
            self._measures.setdefault(name, Measure()).take(float(number), row)

    def _is_of_numbers(self, name: str) -> bool:
        """Of a column that no field reads: whether nearly all of it is numbers."""
        column = self._columns.get(name)
        return column is None or self._reads(name) or len(self._measures[name].numbers) >= _ARE_NUMBERS * column.filled


class _Groups:
    """Records that share an identifier, also by way of others: a forest, as large as the file has identifiers."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}  # identifier -> its number
        self._of_type: list[str] = []
        self._carriers: list[int] = []
        self._above: list[int] = []
        self._alone = 0

    def join(self, identifiers: Iterable[tuple[str, str]]) -> bool:
        """One record more, by its identifiers; whether it shares one with an earlier record."""
        numbers, is_there = [], False
        for type_, token in identifiers:
            key = digest(f"{type_}\0{token}".encode())
            number = self._first.setdefault(key, len(self._above))
            if number == len(self._above):
                self._of_type.append(type_)
                self._carriers.append(0)
                self._above.append(number)
            is_there |= self._carriers[number] > 0
            self._carriers[number] += 1
            numbers.append(number)
        self._alone += not numbers
        for number in numbers[1:]:
            self._above[find(self._above, number)] = find(self._above, numbers[0])
        return is_there

    @property
    def count(self) -> int:
        return self._alone + sum(number == above for number, above in enumerate(self._above))

    def shared(self) -> dict[str, SharedIdentifier]:
        found: dict[str, SharedIdentifier] = {}
        for type_, carriers in zip(self._of_type, self._carriers, strict=True):
            one = found.setdefault(type_, SharedIdentifier())
            one.values += 1
            one.again += carriers - 1
            one.most = max(one.most, carriers)
        return found


def _rows(rows: list[int]) -> dict[str, Any]:
    return {"cells": len(rows), "first_rows": rows[:MOST_ROWS]}
