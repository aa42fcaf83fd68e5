"""The audit log: whatever is done to it without the key is found."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.config import Config
from lakehouse.lake.audit import HEAD, Head, note, note_state, verify
from lakehouse.lake.lock import open_lake

AT = datetime(2026, 5, 3, 12, 0, 0, 123456, tzinfo=UTC)
Rows = list[dict[str, object]]


def written(config: Config) -> Path:
    """A lake whose log has four rows."""
    open_lake(config)
    for number in range(4):
        note(config, "erasure", by="ann", detail={"rows": number}, now=AT)
    return Path(config.lake.root)


def edited(rows: Rows) -> Rows:
    return [row | {"by": "bob"} if row["number"] == 2 else row for row in rows]


def gap(rows: Rows) -> Rows:
    return [row for row in rows if row["number"] != 2]


def renumbered_gap(rows: Rows) -> Rows:
    return [row | {"number": number} for number, row in enumerate(gap(rows), 1)]


def swapped(rows: Rows) -> Rows:
    numbers = {2: 3, 3: 2}
    return [row | {"number": numbers.get(int(str(row["number"])), row["number"])} for row in rows]


def twice(rows: Rows) -> Rows:
    return [*rows, rows[1]]


def truncated(rows: Rows) -> Rows:
    return rows[:-1]


def emptied(_: Rows) -> Rows:
    return []


@pytest.mark.parametrize("plant", [edited, gap, renumbered_gap, swapped, twice, truncated, emptied])
def test_every_planted_change_is_found_and_stays_so(config: Config, plant: Callable[[Rows], Rows]) -> None:
    """Also once the log has gone on: what is added to it covers nothing up."""
    path = str(written(config) / "ops" / "audit")
    assert verify(config).faults == ()
    stored = DeltaTable(path).to_pyarrow_table().sort_by("number")
    write_deltalake(path, pa.Table.from_pylist(plant(stored.to_pylist()), schema=stored.schema), mode="overwrite")
    assert verify(config).faults != ()
    note(config, "erasure", by="ann", detail={}, now=AT)
    assert verify(config).faults != ()


def test_a_log_that_lost_its_head_with_its_end_does_not_look_whole_again(config: Config) -> None:
    root = written(config)
    path = str(root / "ops" / "audit")
    stored = DeltaTable(path).to_pyarrow_table().sort_by("number")
    write_deltalake(path, stored.slice(0, 2), mode="overwrite")
    (root / HEAD).unlink()
    note(config, "erasure", by="ann", detail={}, now=AT)
    (fault,) = verify(config).faults
    assert fault.startswith("row 3: its seal does not hold")


def test_a_process_that_dies_before_it_has_written_the_head_does_no_harm(config: Config) -> None:
    root = written(config)
    head = (root / HEAD).read_text()
    note(config, "key", by="ann", detail={}, now=AT)
    (root / HEAD).write_text(head)
    note(config, "key", by="ann", detail={}, now=AT)
    assert (verify(config).faults, verify(config).head.number) == ((), 6)


def test_what_holds_is_noted_when_it_is_another(config: Config) -> None:
    written(config)
    for version in ("1", "1", "2", "1"):
        note_state(config, "rules", {"book": version, "words": "7"}, by="service", now=AT)
        note_state(config, "access", {"keys": []}, by="service", now=AT)
    rows = DeltaTable(f"{config.lake.root}/ops/audit").to_pyarrow_table().sort_by("number").to_pylist()[4:]
    assert [(row["kind"], json.loads(row["detail"]).get("book")) for row in rows] == [
        *(("rules", "1"), ("access", None), ("rules", "2"), ("rules", "1")),
    ]
    assert verify(config).faults == ()


def test_a_head_is_of_its_log(config: Config) -> None:
    root = written(config)
    known = verify(config).head
    assert (known.number, verify(config, known).faults) == (4, ())
    early = json.loads((root / HEAD).read_text())
    note(config, "key", by="ann", detail={}, now=AT)
    assert verify(config, known).faults == ()
    assert verify(config, Head(number=4, seal="0" * 64)).faults != ()
    now = (root / HEAD).read_text()
    (root / HEAD).write_text(json.dumps(early))
    assert verify(config).faults == ()  # an earlier head of the same log: rows beyond it are sealed
    (root / HEAD).write_text(json.dumps(json.loads(now) | {"number": 4}))
    assert len(verify(config).faults) == 1
    (root / HEAD).unlink()
    assert len(verify(config).faults) == 1


def test_seals_need_the_key(config: Config) -> None:
    written(config)
    privacy = dataclasses.replace(config.privacy, hmac_key="another key of somebody who has not ours")
    assert len(verify(dataclasses.replace(config, privacy=privacy)).faults) == 5


def test_where_there_is_no_lake_there_is_no_log(config: Config) -> None:
    note(config, "key", by="ann", detail={}, now=AT)
    note_state(config, "rules", {}, by="ann", now=AT)
    assert verify(config).head == Head()
    assert not Path(config.lake.root).exists()
