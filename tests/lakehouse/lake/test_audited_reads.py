"""Reads of profiles in the audit log: told of a profile, and naming nobody."""

import json
from datetime import UTC, datetime, timedelta

from lakehouse.config import Config
from lakehouse.lake.audit import note, rows_of, verify
from lakehouse.lake.audited_reads import NOBODY_NAMED, note_reads, reads_of
from lakehouse.lake.lock import open_lake
from lakehouse.lake.profile_read import ProfileRead, hash_of

AT = datetime(2026, 5, 3, 12, tzinfo=UTC)


def test_a_row_is_of_one_caller_and_the_log_is_asked_by_the_profile_it_does_not_name(config: Config) -> None:
    open_lake(config)
    note(config, "read", by="ann", detail={"what": "whois"}, now=AT)
    ann, bob = (hash_of(config.privacy, name) for name in ("p-ann", "p-bob"))
    seconds = [AT + timedelta(seconds=one) for one in range(4)]
    reads = [ProfileRead(at=seconds[2], by="crm", profile=ann), ProfileRead(at=seconds[0], by="crm", profile=bob)]
    reads += [ProfileRead(at=seconds[1], by="", profile=ann), ProfileRead(at=seconds[3], by="crm", profile=None)]
    note_reads(config, reads, now=AT)
    assert [row["by"] for row in reads_of(config, "p-ann")] == [NOBODY_NAMED, "crm"]
    (row,) = reads_of(config, "p-bob")
    told = json.loads(row["detail"])
    assert (told["from"], told["to"], told["reads"]) == (seconds[0].isoformat(), seconds[3].isoformat(), 3)
    assert told["profiles"] == sorted([ann, bob])
    assert list(reads_of(config, "p-cat")) == []
    assert "p-ann" not in repr(rows_of(config, "read"))
    assert verify(config).faults == ()


def test_a_thousand_reads_are_a_row(config: Config) -> None:
    open_lake(config)
    note_reads(config, (ProfileRead(at=AT, by="crm", profile=f"{number}") for number in range(1001)), now=AT)
    assert [len(json.loads(row["detail"])["profiles"]) for row in rows_of(config, "read")] == [1000, 1]
