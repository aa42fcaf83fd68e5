"""What a run is going to do: gold as it is mapped, beside the ledger, under what people said. Sends nothing, writes nothing."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.errors import ExportError
from lakehouse.exports.declaration import Export
from lakehouse.exports.difference import counts, difference
from lakehouse.exports.disowned import Disowned
from lakehouse.exports.mapping import KEY, PROFILE, RowMapping, mapped, mapped_columns, plain
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.place import Layout
from lakehouse.exports.source import Gold
from lakehouse.exports.telephones import in_one_form


class Todo(NamedTuple):
    """One row to send, to remove, or to take from where it was found under another identity (`move`).

    hash, number: null = it is gone here; number: of the row in the plan. The rest: as the ledger has it.
    """

    key: str
    profile_id: str
    hash: str | None
    identity: str | None
    is_there: bool
    attempts: int
    step: str
    number: int | None


_PIECE = 50_000  # rows
Batch = tuple[str, list[Todo]]
"""Its id, and what is in it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """rows: as mapped, those with a key. steps: as `difference`. unkeyed: rows without a key. reasons: why how many rows are kept back."""

    rows: pa.Table
    steps: pa.Table
    unkeyed: int
    reasons: Counter[str]
    layout: Layout

    def counts(self) -> dict[str, int]:
        """What is known before anything is sent, by the names of ops.export_runs, and what is to be done."""
        steps = counts(self.steps)
        leaving = pc.sum(pc.and_(pc.equal(self.steps["step"], "remove"), pc.is_valid(self.steps["hash"]))).as_py() or 0
        return {
            "read": self.rows.num_rows + self.unkeyed,
            "unchanged": steps["same"],
            "dead": steps["dead"],
            "withheld": steps["withhold"] + leaving + self.unkeyed,
            "to_send": steps["send"],
            "to_remove": steps["remove"],
        }

    def forgotten(self) -> list[str]:
        """Keys that need not be written down any more."""
        keys: list[str] = self.steps.filter(pc.equal(self.steps["step"], "forget"))["key"].to_pylist()
        return keys

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, here and there."""
        return not self.changes and not counts(self.steps)["forget"]

    @property
    def changes(self) -> bool:
        """Whether there is anything to send or to remove."""
        steps = counts(self.steps)
        return bool(steps["send"] or steps["remove"])

    def removals(self) -> "Plan":
        """What is to be taken from the destination, and nothing else."""
        return replace(self, steps=self.steps.filter(pc.equal(self.steps["step"], "remove")))

    def batches(self, most_rows: int, ids: Iterator[str]) -> Iterator[Batch]:
        """What was left open first, each batch as it was; then the removals; then the rest."""
        listed = self._listed()
        is_open = pc.and_(pc.is_valid(listed["open_batch"]), pc.equal(listed["step"], "send"))
        opened = listed.filter(is_open).sort_by([("open_batch", "ascending"), ("key", "ascending")])
        pairs = zip(opened["open_batch"].to_pylist(), _todos(opened), strict=True)
        for batch_id, group in groupby(pairs, lambda pair: pair[0]):
            yield batch_id, [todo for _, todo in group]
        for todos in _pieces(listed.filter(pc.invert(is_open)), most_rows):
            yield next(ids), todos

    def pieces(self, size: int) -> Iterator[list[Todo]]:
        """All of it, by key: the removals first."""
        return _pieces(self._listed(), size)

    def _listed(self) -> pa.Table:
        return self.steps.filter(pc.is_in(self.steps["step"], pa.array(["send", "remove"])))

    def said(self, todos: Sequence[Todo]) -> dict[str, Mapping[str, Any]]:
        """Key -> the row as the destination gets it, of those that are to be sent."""
        sent = [todo for todo in todos if todo.step == "send"]
        taken = self.rows.take(pa.array([todo.number for todo in sent], pa.int64()))
        names = self.layout.columns.names
        bare = taken.select([f"={name}" for name in names]).rename_columns(names).to_pylist()
        return {todo.key: row for todo, row in zip(sent, bare, strict=True)}


def plan_of(
    export: Export,
    gold: Gold,
    held: pa.Table,
    permission: Permission,
    disowned: Disowned,
    *,
    region: str,
    secret: bytes,
    is_full: bool,
    takes_all: bool,
) -> Plan:
    """`held`: what the ledger says. `region`: of a telephone number of nobody's country. `secret`: of the hashes. `is_full`: send every row.
    `takes_all`: of the destination.

    Raises:
        ExportError: gold cannot be read, or a key is several rows'.
    """
    mapping = export.mapping()
    read = disowned.taken_out(gold.joined(export.tables, mapping.reads), mapping)
    rows = _mapped(in_one_form(read, mapping, gold, region), mapping, secret)
    permission.look()
    return _plan(export, rows, held, permission, is_full=is_full, takes_all=takes_all)


def plan_of_some(
    export: Export,
    gold: Gold,
    held: pa.Table,
    permission: Permission,
    disowned: Disowned,
    profiles: Collection[str],
    *,
    region: str,
    secret: bytes,
) -> Plan:
    """`plan_of`, of these profiles alone, and of those who share a key with them. No row of anybody else is compared.

    Raises:
        ExportError: as `plan_of`.
    """
    mapping, some = export.mapping(), set(profiles)
    while True:
        read = disowned.taken_out(gold.joined(export.tables, mapping.reads, some), mapping)
        rows = _mapped(in_one_form(read, mapping, gold, region), mapping, secret)
        own = held.filter(_among(held[PROFILE], some))
        others = set(held.filter(_among(held["key"], rows[KEY].to_pylist()))[PROFILE].to_pylist()) - some
        if not others:
            break
        some |= others
    permission.look(some)
    return _plan(export, rows, own, permission, is_full=False, takes_all=False)


def _plan(
    export: Export, rows: pa.Table, held: pa.Table, permission: Permission, *, is_full: bool, takes_all: bool
) -> Plan:
    """As of the last look."""
    keyed = rows.filter(pc.is_valid(rows[KEY]))
    shared = keyed.num_rows - pc.count_distinct(keyed[KEY]).as_py()
    if shared:
        raise ExportError(
            f"export {export.name}: {shared} rows share their key ({', '.join(export.key)}) with another, expected each key once. "
            "Name more columns, or another table"
        )
    refused = permission.refused([*keyed["profile_id"].to_pylist(), *held["profile_id"].to_pylist()])
    steps = difference(keyed, held, refused, mode=export.mode, is_full=is_full, takes_all=takes_all)
    kept_back = steps.filter(pc.is_in(steps["step"], pa.array(["withhold", "remove"])))
    reasons = Counter(refused[one] for one in kept_back["profile_id"].to_pylist() if one in refused)
    unkeyed = rows.num_rows - keyed.num_rows
    if unkeyed:
        reasons["no key"] += unkeyed
    schema = pa.schema([(name, plain(keyed[f"={name}"].type)) for name in mapped_columns(keyed)])
    layout = Layout(columns=schema, key=export.key, mode=export.mode)
    return Plan(rows=keyed, steps=steps, unkeyed=unkeyed, reasons=reasons, layout=layout)


def _mapped(rows: pa.Table, mapping: RowMapping, secret: bytes) -> pa.Table:
    """Piece by piece: as Python's values they take ten times as much memory."""
    pieces = [mapped(rows.slice(start, _PIECE), mapping, secret=secret) for start in range(0, rows.num_rows, _PIECE)]
    return pa.concat_tables(pieces or [mapped(rows, mapping, secret=secret)])


def _among(column: pa.ChunkedArray, values: Collection[str | None]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array([one for one in values if one is not None], pa.string()))


def _pieces(steps: pa.Table, size: int) -> Iterator[list[Todo]]:
    rows = steps.sort_by([("step", "ascending"), ("key", "ascending")])  # "remove" comes before "send"
    for start in range(0, rows.num_rows, size):
        yield _todos(rows.slice(start, size))


def _todos(steps: pa.Table) -> list[Todo]:
    return list(map(Todo._make, zip(*(steps[name].to_pylist() for name in Todo._fields), strict=True)))
