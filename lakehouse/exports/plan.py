"""What a run is going to do: gold as it is mapped, beside the ledger, under what people said. Sends nothing, writes nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.errors import ExportError
from lakehouse.exports.declaration import Export
from lakehouse.exports.difference import counts, difference
from lakehouse.exports.mapping import KEY, mapped, mapped_columns, plain
from lakehouse.exports.permission import Permission
from lakehouse.exports.places.place import Layout
from lakehouse.exports.source import Gold


class Todo(NamedTuple):
    """One row to send, to remove, or to take from where it was found under another identity (`move`).

    hash: null = it is gone here. The rest: as the ledger has it.
    """

    key: str
    profile_id: str
    hash: str | None
    identity: str | None
    is_there: bool
    attempts: int
    step: str


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

    @property
    def holds_rows(self) -> bool:
        """Whether the ledger says that the destination has some."""
        return bool(pc.any(self.steps["is_there"]).as_py())

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

    def batches(self, most_rows: int | None, run_id: str) -> Iterator[Batch]:
        """What was left open first, each batch as it was; then the removals; then the rest. `most_rows`: None = all at once."""
        listed = self.steps.filter(pc.is_in(self.steps["step"], pa.array(["send", "remove"]))).to_pylist()
        opened = [
            one for one in listed if one["open_batch"] is not None and one["step"] == "send" and most_rows is not None
        ]
        for batch_id, group in groupby(
            sorted(opened, key=lambda one: (one["open_batch"], one["key"])), lambda one: one["open_batch"]
        ):
            yield batch_id, list(map(_todo, group))
        taken = {one["key"] for one in opened}
        rest = sorted(
            (one for one in listed if one["key"] not in taken), key=lambda one: (one["step"] == "send", one["key"])
        )
        size = most_rows or max(1, len(rest))
        for number, start in enumerate(range(0, len(rest), size)):
            yield f"{run_id}-{number}", list(map(_todo, rest[start : start + size]))

    def said(self, keys: Sequence[str], at: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
        """Key -> the row as the destination gets it. `at`: key -> number of the row."""
        taken = self.rows.take(pa.array([at[key] for key in keys], pa.int64()))
        names = self.layout.columns.names
        bare = taken.select([f"={name}" for name in names]).rename_columns(names).to_pylist()
        return dict(zip(keys, bare, strict=True))


def plan_of(
    export: Export, gold: Gold, held: pa.Table, permission: Permission, *, secret: bytes, is_full: bool, takes_all: bool
) -> Plan:
    """`held`: what the ledger says. `secret`: of the hashes. `is_full`: send every row. `takes_all`: of the destination.

    Raises:
        ExportError: gold cannot be read, or a key is several rows'.
    """
    mapping = export.mapping()
    rows = mapped(gold.joined(export.tables, mapping.reads), mapping, secret=secret)
    keyed = rows.filter(pc.is_valid(rows[KEY]))
    shared = keyed.num_rows - pc.count_distinct(keyed[KEY]).as_py()
    if shared:
        raise ExportError(
            f"export {export.name}: {shared} rows share their key ({', '.join(export.key)}) with another, expected each key once. "
            "Name more columns, or another table"
        )
    permission.look()
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


def _todo(step: Mapping[str, Any]) -> Todo:
    return Todo(*(step[name] for name in Todo._fields))
