"""whois on a real small lake: the evidence is a chain of identifiers that link, and of no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse.commands import consent as consent_command
from lakehouse.commands import person as person_command
from lakehouse.commands import whois as whois_command
from lakehouse.commands.whois import whois
from lakehouse.errors import StitchlakeError
from lakehouse.lake.audit import verify
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import open_lake
from lakehouse.models.registry import Champions
from lakehouse.profiles.micro_batch import MicroBatch
from tests.accepted import event, few_leaves, once
from tests.small_lake import copy_empty_tables


def feed(lake: Lake, *rows: dict[str, Any]) -> None:
    copy_empty_tables(lake)
    MicroBatch(lake, Champions(lake.config))(few_leaves(lake, rows), once(0))


def test_who_looked_at_somebody_is_in_the_audit_log_and_whom_is_not(
    with_ann: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command that shows personal data, by its main."""
    lake = with_ann
    open_lake(lake.config)
    for module in (whois_command, consent_command, person_command):
        monkeypatch.setattr(module, "load", lambda: lake.config)
        monkeypatch.setattr(module, "get_session", lambda config, name: lake.spark)
    before = verify(lake.config).head.number
    whois_command.main(["user_id", "ann"])
    consent_command.main(["show", "user_id", "ann"])
    person_command.main(["export", "user_id", "ann", "--to", str(tmp_path / "ann")])
    with pytest.raises(StitchlakeError):
        whois_command.main(["user_id", "nobody"])
    rows = DeltaTable(f"{lake.root}/ops/audit").to_pyarrow_table().sort_by("number").to_pylist()[before:]
    assert [row["kind"] for row in rows] == ["read"] * 3
    assert [json.loads(row["detail"])["what"] for row in rows] == ["whois", "consent show", "person export"]
    assert "ann" not in "".join(row["detail"] for row in rows)
    assert verify(lake.config).faults == ()


def test_the_chain_goes_from_the_identifier_to_the_oldest_actor_over_what_links(lake: Lake) -> None:
    feed(
        lake,
        event("m1", "2026-02-01 10:00", anonymous_id="cookie"),
        event("m2", "2026-02-02 10:00", anonymous_id="cookie", user_id="ann"),
        event("m3", "2026-02-03 10:00", user_id="ann", loyalty_id="card"),
    )
    evidence = whois(lake, "loyalty_id", "card").split("  evidence\n")[1].splitlines()
    assert evidence[0].startswith("    loyalty_id card was carried by actor")
    assert [line.split("both carried ")[1] for line in evidence[1:-1]] == [
        "user_id ann (deterministic, priority 1, since 2026-02-03)",
        "anonymous_id cookie (deterministic, priority 6, since 2026-02-02)",
    ]


def test_a_device_that_two_people_use_is_no_evidence(lake: Lake) -> None:
    feed(
        lake,
        event("m1", "2026-02-01 10:00", device_id="tablet", user_id="ann", loyalty_id="card"),
        event("m2", "2026-02-02 10:00", device_id="tablet", user_id="bob"),
        event("m3", "2026-02-03 10:00", device_id="tablet", loyalty_id="card", user_id="ann", anonymous_id="web"),
    )
    text = whois(lake, "anonymous_id", "web")
    assert "both carried device_id" not in text
    assert "both carried" in text


@pytest.fixture(scope="module")
def with_ann(new_lake: Callable[[str], Lake]) -> Lake:
    """Knows Ann and nobody else; for tests that only look."""
    lake = new_lake("whois")
    feed(lake, event("m1", "2026-02-01 10:00", user_id="ann"))
    return lake


@pytest.mark.parametrize(
    ("type_", "value", "said"),
    [
        ("user_id", "nobody", "never seen"),
        ("user_id", "null", "a blocked value"),
        ("shoe_size", "44", "unknown identifier type"),
    ],
)
def test_what_cannot_be_found_is_said(with_ann: Lake, type_: str, value: str, said: str) -> None:
    with pytest.raises(StitchlakeError, match=said):
        whois(with_ann, type_, value)
