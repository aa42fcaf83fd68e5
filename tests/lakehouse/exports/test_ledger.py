"""The ledger by itself: what a run comes to, what is forgotten, what is kept for how long, and what was told under another name."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from lakehouse.config import ExportsConfig, LakeConfig, load
from lakehouse.exports.ledger import Change, Ledger, _may_hold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DELIVERED = Change(key="ann", profile_id="ann", state="delivered", hash="h", is_there=True)
REJECTED = DELIVERED._replace(key="bob", profile_id="bob", state="rejected", is_there=False)


class World:
    def __init__(self, folder: Path) -> None:
        self.config = dataclasses.replace(
            load("dev", environ={}),
            lake=LakeConfig(root=str(folder), keep_hours=1),
            exports=ExportsConfig(keep_days=30),
        )
        self.folder = folder

    def ledger(self, export: str = "people", was: tuple[str, ...] = ()) -> Ledger:
        return Ledger(self.config, export, was)

    def begin(self, ledger: Ledger, run_id: str, at: datetime, *changes: Change) -> None:
        ledger.begin(run_id, {}, is_full=False, now=at)
        ledger.note(run_id, changes, at)

    def run(self, ledger: Ledger, run_id: str, at: datetime, *changes: Change) -> None:
        self.begin(ledger, run_id, at, *changes)
        ledger.end(run_id, {}, began=at, now=at, is_full=False, reason=None)

    def column(self, table: str, name: str) -> list[str]:
        rows: pa.Table = DeltaTable(self.folder / "ops" / table).to_pyarrow_dataset().to_table()
        return sorted(rows[name].to_pylist())


def held(ledger: Ledger) -> dict[str, str]:
    rows = ledger.held()
    return dict(zip(rows["key"].to_pylist(), rows["state"].to_pylist(), strict=True))


def test_a_row_that_is_forgotten_is_not_there_again_when_its_run_is_folded(tmp_path: Path) -> None:
    world = World(tmp_path)
    one = world.ledger()
    world.begin(one, "r1", NOW, DELIVERED, REJECTED, REJECTED._replace(key="cat", profile_id="cat"))
    one.forget(["bob", "cat"])
    one.note("r1", [DELIVERED._replace(key="cat", profile_id="cat")], NOW)  # who came back
    one.end("r1", {}, began=NOW, now=NOW, is_full=False, reason=None)
    assert held(one) == {"ann": "delivered", "cat": "delivered"}
    world.begin(one, "r2", NOW, REJECTED)
    one.end("r2", {}, began=NOW, now=NOW, is_full=False, reason=None)
    assert held(one)["bob"] == "rejected", "another run is another matter"


def test_runs_go_with_their_steps_after_some_days_but_for_those_that_nobody_folded(tmp_path: Path) -> None:
    world = World(tmp_path)
    one, other = world.ledger(), world.ledger("other")
    world.run(one, "old", NOW, DELIVERED)
    world.begin(other, "died", NOW, DELIVERED._replace(state="sending"))
    world.run(one, "young", NOW + 20 * DAY, REJECTED)
    world.run(one, "newer", NOW + 30 * DAY)
    assert world.column("export_runs", "run_id") == ["died", "newer", "old", "young"]
    world.run(one, "newest", NOW + 32 * DAY)
    assert world.column("export_runs", "run_id") == ["died", "newer", "newest", "young"]
    assert world.column("export_changes", "run_id") == ["died", "young"]
    assert held(one) == {"ann": "delivered", "bob": "rejected"}, "what the destination has stays known"
    assert held(other) == {"ann": "sending"}, "what a dead run may have sent, too"


def test_what_was_told_under_another_name_is_taken_over_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    old, third = world.ledger("old"), world.ledger("third")
    world.run(old, "r1", NOW, DELIVERED, REJECTED)
    world.begin(old, "r2", NOW, DELIVERED._replace(key="cat", profile_id="cat", state="sending"))  # and it died
    world.run(third, "r3", NOW, DELIVERED)
    new = world.ledger("new", ("old",))
    world.run(new, "r4", NOW, REJECTED._replace(state="dead"))
    assert held(new) == {"ann": "delivered", "bob": "dead", "cat": "sending"}, (
        "of what both have, ours is the later word"
    )
    assert (held(old), held(third)) == ({}, {"ann": "delivered"})
    assert held(new) == {"ann": "delivered", "bob": "dead", "cat": "sending"}


def test_files_that_cannot_have_a_run_are_not_read() -> None:
    assert [_may_hold("r2", *span) for span in (("r1", "r1"), ("r3", "r9"), ("r1", "r3"), ("r2", "r2"))] == [
        *(False, False),
        *(True, True),
    ]
    assert _may_hold("r2", None, "r1")
