"""What is left of an erasure while exports know of the person: in what their destination has, and in steps that nobody has folded yet."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakehouse.config import Config
from lakehouse.decisions.visitor import suppression_key
from lakehouse.events.erased import HoldBack, digest
from lakehouse.events.event_rows import NOTHING_DECLARED
from lakehouse.exports.ledger import Change, Ledger
from lakehouse.lake.delta import Lake
from lakehouse.lake.folders import folder
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.online_profile import identifier_key
from lakehouse.online.store import Document
from lakehouse.people.elsewhere import forget_again, settle
from lakehouse.people.person import Person
from lakehouse.people.requests import WAITING, keep, new, waiting
from lakehouse.tables.erasures import OPS_ERASURES
from lakehouse.tables.exports import OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS
from tests.small_lake import copy_empty_tables

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENDING = Change(key="ann", profile_id="ann", state="sending", hash="h", is_there=True)
REFUSED = SENDING._replace(state="rejected", is_there=False)
GONE = SENDING._replace(state="removed", is_there=False, hash=None)


class World:
    def __init__(self, lake: Lake) -> None:
        copy_empty_tables(lake)
        self.lake, self.place = lake, folder(lake.root, WAITING, None)
        asked = new(("user_id", "ann"), by="dpo", reason="a letter", at=NOW, every=False)
        ann = Person(own=frozenset({("user_id", "ann")}), actors=frozenset({"ann"}), profiles=("ann",))
        keep(self.place, replace(asked, stage="left", person=ann, held_until=NOW, left_at=NOW))

    def began(self, export: str, at: datetime, *changes: Change) -> Ledger:
        """A run that is under way, or died."""
        ledger = Ledger(self.lake.config, export)
        ledger.begin(f"{export}-{at:%H%M}", {}, is_full=False, now=at)
        ledger.note(f"{export}-{at:%H%M}", changes, at)
        return ledger

    def ended(self, ledger: Ledger, export: str, at: datetime) -> None:
        ledger.end(f"{export}-{at:%H%M}", {}, began=at, now=at, is_full=False, reason=None)

    def settled(self) -> tuple[str, str]:
        """Outcome, and what waits."""
        for request in waiting(self.place):
            settle(self.lake, request, self.place, lambda: NOW)
        (row,) = self.lake.batches(OPS_ERASURES)
        told: dict[str, Any] = row.to_pylist()[0]
        return told["outcome"], told["detail"] or ""

    def keys(self) -> set[str]:
        tables = (OPS_EXPORT_CHANGES, OPS_EXPORT_ROWS)
        return {key for table in tables for batch in self.lake.batches(table) for key in batch["key"].to_pylist()}


def test_what_stands_in_a_journal_that_is_not_folded_is_waited_for(lake: Lake) -> None:
    world = World(lake)
    other = SENDING._replace(key="bob", profile_id="bob")
    world.began("crm", NOW - timedelta(minutes=5), SENDING, other)  # and its process died
    outcome, waits = world.settled()
    assert (outcome, "the run of the export crm that began before" in waits) == ("waiting", True)
    ledger = Ledger(lake.config, "crm")
    assert set(ledger.held()["key"].to_pylist()) == {"ann", "bob"}, "what may be at the destination is still known"
    outcome, waits = world.settled()
    assert (outcome, "the next run of the export crm" in waits) == ("waiting", True)
    later = NOW + timedelta(minutes=1)
    ledger = world.began("crm", later, SENDING._replace(state="removing"), GONE)
    assert world.settled()[0] == "waiting"
    world.ended(ledger, "crm", later)
    assert world.settled() == ("erased", "")
    assert world.keys() == {"bob"}


def test_a_run_that_began_while_gold_had_them_is_waited_for_and_a_later_one_is_not(lake: Lake) -> None:
    world = World(lake)
    early = world.began("crm", NOW - timedelta(minutes=5), REFUSED)
    assert world.settled()[0] == "waiting", "it has them in memory, and may write of them again"
    early.note("crm-1155", [REFUSED], NOW)
    world.ended(early, "crm", NOW - timedelta(minutes=5))
    world.began("ads", NOW + timedelta(minutes=1))
    assert world.settled() == ("erased", "")
    assert world.keys() == set()


def test_whoever_is_looked_for_late_leaves_no_name_in_the_files_of_the_stores(config: Config) -> None:
    """Nothing of hers is there: what is written over all the same names her."""
    hers, others = ("user_id", "ann-4711"), [("user_id", f"bob-{number}") for number in range(50)]
    with closing(open_store(store_url(config))) as online, closing(open_kept_store(config)) as kept:
        online.put(Document(identifier_key(one), 1, b"x") for one in others)
        kept.put(Document(suppression_key(one), 1, b"1") for one in others)
    until = {digest(config.privacy, *hers): 1_000_000 * int(NOW.timestamp())}
    held = HoldBack(config=config, declared=NOTHING_DECLARED, until=until)
    late = pa.table(
        {
            "identifiers": [[{"type": hers[0], "token": hers[1]}]],
            "occurred_at": pa.array([NOW], pa.timestamp("us", tz="UTC")),
        }
    )
    assert forget_again(config, held, late) == 0
    files = [path.read_bytes() for path in Path(config.lake.root).rglob("data.mdb")]
    assert [hers[1].encode() in one for one in files] == [False, False]
    assert all(b"bob-49" in one for one in files)
