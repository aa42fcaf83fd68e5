"""`sources`: what is declared, what is wrong with it, and what of a file maps; never a value."""

import json
from pathlib import Path

import pytest

from lakehouse.commands.sources import check, check_file, listing, main
from lakehouse.config import PROJECT, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import StitchlakeError
from lakehouse.sources.source import Source

CONFIG = load("dev", environ={})
SAMPLES = PROJECT / "tests" / "lakehouse" / "sources" / "samples"


def told(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, object]]:
    """What was printed, and the line of JSON it ended with."""
    text = capsys.readouterr().out
    return text, json.loads(text.splitlines()[-1])


def test_every_shipped_source_is_declared_as_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert check([], SOURCES, CONFIG) == 0
    assert told(capsys)[1]["sources"] == len(list(SOURCES.glob("*.yaml")))
    assert listing(SOURCES, CONFIG) == 0
    assert "woocommerce-orders" in told(capsys)[0]


def test_faults_are_told_and_the_others_are_still_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text("is_event: true")
    (tmp_path / "bad.yaml").write_text("is_evnt: true")
    assert check([], tmp_path, CONFIG) == 1
    assert told(capsys)[1] == {"command": "sources check", "sources": 1, "faults": 1}


def test_a_sample_is_told_field_by_field_and_shows_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "crm.csv"
    path.write_text(
        (SAMPLES / "crm.csv")
        .read_text("utf-8")
        .replace("dee@crm.example;;;;;;;;;", "dee@crm.example;;;;;;;;some day;"),
        "utf-8",
    )
    assert check_file(Source.named("crm", SOURCES, CONFIG), path) == 1
    text, counts = told(capsys)
    assert counts == {
        "command": "sources check", "source": "crm", "records": 5, "accepted": 4, "quarantined": 1, "skipped": 0, "faults": 1,
    }  # fmt: skip
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert {
        "email text 4 0",
        "changed_at time 4 1",
        "turnover 3",
        "identify 4",
        "invalid_timestamp: originalTimestamp: ISO 8601 or a number since 1 1",
        "unreadable: traits.email: an identifier of somebody expected 1",
    } <= lines
    assert "Groß" not in text
    assert "@" not in text


def test_a_file_without_a_header_shows_no_value_as_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Ann Lee,ann.lee@example.com,Bonn\nBob Ray,bob@example.com,Kiel\n")
    assert check_file(Source.named("crm", SOURCES, CONFIG), path) == 1
    text, _ = told(capsys)
    assert "no header?" in text
    assert [word for word in ("ann", "lee", "example", "bonn") if word in text.lower()] == []


def test_names_of_pages_and_names_that_are_addresses_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.json"
    page = {"type": "page", "name": "Results for Ann Lee", "userId": "u", "timestamp": "2025-01-01T00:00:00Z"}
    path.write_text(json.dumps(page | {"properties": {"ann.lee@example.com": 1, "size": 2}}))
    assert check_file(Source.named("segment", SOURCES, CONFIG), path) == 0
    text, _ = told(capsys)
    assert [word for word in ("Ann", "ann.lee") if word in text] == []
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert {"page 1", "properties.size 1", "(a name that looks personal) 1"} <= lines


def test_a_number_by_another_mark_is_counted_as_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.csv"
    path.write_text("event;customer_id;timestamp;order_id;total\npurchase;c-1;2025-01-01;o-1;12,50\n")
    assert check_file(Source.named("simple-events", SOURCES, CONFIG), path) == 1
    lines = {" ".join(line.split()) for line in told(capsys)[0].splitlines()}
    assert "total number 0 1" in lines
    assert any(line.startswith("invalid_number: properties.revenue") for line in lines)


def test_words_that_are_no_command_are_refused() -> None:
    with pytest.raises(StitchlakeError, match="expected list, check"):
        main(["chek"])
