"""A lake of few profiles on disk, without Spark, and an export of it that is declared as a test likes."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from deltalake import DeltaTable, write_deltalake

from lakehouse.config import PROJECT, LakeConfig, load
from lakehouse.decisions.visitor import suppression
from lakehouse.exports.continuous import ContinuousExport
from lakehouse.exports.declaration import export_named
from lakehouse.exports.exporting import Exporting, Files, Report, run_export
from lakehouse.exports.heard import Hearing
from lakehouse.exports.meters import ExportMeters
from lakehouse.lake.delta import arrow_schema
from lakehouse.online.engines import open_kept_store
from lakehouse.online.store import OnlineStore
from lakehouse.profiles.gold.changes import GOLD_CHANGES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIVATION = pa.schema(
    [
        ("profile_id", pa.string()),
        ("segment", pa.string()),
        ("frequency", pa.int64()),
        ("monetary", pa.decimal128(18, 2)),
        ("last_order_at", pa.timestamp("us", tz="UTC")),
        ("as_of", pa.timestamp("us", tz="UTC")),
        ("user_ids", pa.list_(pa.string())),
        ("consent_analytics", pa.bool_()),
        ("consent_personalization", pa.bool_()),
        ("consent_marketing", pa.bool_()),
        ("is_suppressed", pa.bool_()),
    ]
)
EXPORT: Mapping[str, Any] = {
    "name": "people",
    "owner": "crm",
    "description": "everybody",
    "table": "gold.activation",
    "columns": {"id": "profile_id", "segment": "segment", "revenue": "monetary"},
    "key": ["id"],
    "mode": "upsert",
    "purpose": "marketing",
    "to": "there",
}


def person(profile_id: str, segment: str | None = "loyal", **more: Any) -> dict[str, Any]:
    """A row of gold.activation; consent where nobody says otherwise is never asked, which is granted in dev."""
    row = {
        **{"profile_id": profile_id, "segment": segment, "frequency": 2, "monetary": Decimal("12.50"), "user_ids": []},
        **{"last_order_at": NOW - timedelta(days=10), "as_of": NOW},
    }
    return row | more


class Shop:
    """`environ`: secrets of destinations. `slept`: every pause the runs took."""

    def __init__(
        self, folder: Path, destination: Mapping[str, Any], *, environ: Mapping[str, str] = {}, **export: Any
    ) -> None:
        self.folder = folder
        self.lake = folder / "lake"
        config = load("dev", environ={})
        self.config = dataclasses.replace(
            config,
            lake=LakeConfig(root=str(self.lake), keep_hours=1),
            actions=dataclasses.replace(config.actions, max_attempts=3, timeout_seconds=2.0, per_second=10_000.0),
        )
        self.environ = environ
        self.now = NOW
        self.slept: list[float] = []
        self.meters = ExportMeters()
        self.experiments: Mapping[str, Any] = {"experiments": []}
        self.destination = {"name": "there", "allow_private": True, **destination}
        self.export = {**EXPORT, **export}
        self.others: list[Mapping[str, Any]] = []  # exports that are declared beside it
        self.people()

    def people(self, *rows: Mapping[str, Any]) -> None:
        """Let gold.activation say this."""
        made = pa.Table.from_pylist([dict(row) for row in rows], schema=ACTIVATION)
        write_deltalake(self.lake / "gold" / "activation", made, mode="overwrite")

    def changed(self, *profile_ids: str) -> None:
        """Let gold.changes say that of these something changed just now."""
        at = self.clock()
        rows = [
            {"profile_id": name, "version": 1, "kind": "upserted", "merged_into": None, "changed_at": at}
            for name in profile_ids
        ]
        made = pa.Table.from_pylist(rows, schema=arrow_schema(GOLD_CHANGES))
        write_deltalake(self.lake / "gold" / "changes", made, mode="append")

    def follower(self) -> ContinuousExport:
        """What keeps the export up to date, in a process that has just started. The service's store is in `kept`."""
        export = export_named(self.files().exports, str(self.export["name"]))
        hearing = Hearing(self.lake, self.config.kafka, self.clock)
        return ContinuousExport(export, self.exporting(self.slept.append), hearing, self.kept, self.meters)

    def files(self) -> Files:
        """conf/ as it is declared now."""
        documents = {
            "exports": {"exports": [self.export, *self.others]},
            "destinations": {"destinations": [self.destination]},
        }
        for name, document in (documents | {"experiments": self.experiments}).items():
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        named = {name: self.folder / f"{name}.yaml" for name in ("exports", "destinations", "experiments")}
        return Files(**named)

    def run(
        self, *, is_full: bool = False, is_tried: bool = False, sleep: Callable[[float], None] | None = None
    ) -> Report:
        """Run the export once."""
        exporting = self.exporting(sleep or self.slept.append)
        return run_export(str(self.export["name"]), exporting, is_full=is_full, is_tried=is_tried)

    def exporting(self, sleep: Callable[[float], None]) -> Exporting:
        """As it is declared now."""
        return Exporting(config=self.config, environ=self.environ, files=self.files(), clock=self.clock, sleep=sleep)

    def clock(self) -> datetime:
        """Ahead a little with every look, so that runs follow each other."""
        self.now += timedelta(seconds=1)
        return self.now

    def suppress(self, profile_id: str, token: str) -> None:
        """Let the service have been told of an identifier, which the lake knows to be the profile's, but nothing more."""
        edges = {"actor_id": [f"actor-{profile_id}"], "identifier_type": ["email"], "identifier_token": [token]}
        write_deltalake(self.lake / "silver" / "identity_edges", pa.table(edges), mode="append")
        owner = {"actor_id": [f"actor-{profile_id}"], "profile_id": [profile_id]}
        write_deltalake(self.lake / "silver" / "identity_map", pa.table(owner), mode="append")
        self.kept.put([suppression(("email", token), self.now, is_suppressed=True)])

    @cached_property
    def kept(self) -> OnlineStore:
        """What the service keeps of what it was told."""
        return open_kept_store(self.config)

    def ledger(self) -> dict[str, tuple[str, bool]]:
        """key -> state, and whether the destination may hold something of it."""
        rows = self.rows("export_rows").to_pylist()
        return {row["key"]: (row["state"], row["is_there"]) for row in rows if row["export"] == self.export["name"]}

    def runs(self) -> list[dict[str, Any]]:
        """The runs, in their order."""
        return sorted(self.rows("export_runs").to_pylist(), key=lambda run: run["run_id"])

    def rows(self, table: str) -> pa.Table:
        """A table of the ledger."""
        return DeltaTable(self.lake / "ops" / table).to_pyarrow_dataset().to_table()


@contextmanager
def held_elsewhere(shop: Shop) -> Iterator[Callable[[], None]]:
    """Another process runs the export, until what is given is called."""
    held = "import dataclasses, sys; from lakehouse.config import LakeConfig, load; from lakehouse.lake.lock import writer\n"
    held += f"config = dataclasses.replace(load('dev', environ={{}}), lake=LakeConfig(root={str(shop.lake)!r}, keep_hours=1))\n"
    held += "with writer(config, part='export.people'):\n    print('held', flush=True); sys.stdin.read()\n"
    with subprocess.Popen([sys.executable, "-c", held], stdin=-1, stdout=-1, text=True, cwd=PROJECT) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        stdin = other.stdin

        def let_go() -> None:
            stdin.close()
            other.wait()

        yield let_go
        let_go()


def adds_up(run: Mapping[str, Any]) -> bool:
    """Whether each row that was read is accounted for once."""
    parts: Sequence[str] = ("unchanged", "dead", "withheld", "delivered", "rejected", "unanswered", "unsent")
    return bool(run["read"] == sum(run[name] for name in parts))


def leaked(shop: Shop, *values: str) -> list[str]:
    """Values that any table of the ledger holds as text."""
    held = [
        column
        for name in ("export_runs", "export_changes", "export_rows")
        for column in shop.rows(name).columns
        if pa.types.is_string(column.type)
        or pa.types.is_large_string(column.type)
        or pa.types.is_string_view(column.type)
    ]
    return [
        value for value in values if any(pc.any(pc.match_substring(c.cast(pa.string()), value)).as_py() for c in held)
    ]
