"""./spark-submit.sh audiences check, and preview on the small lake."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse.commands.audiences import main
from lakehouse.errors import StitchlakeError
from lakehouse.lake.delta import Lake, arrow_schema
from lakehouse.profiles.gold.audiences import GOLD_AUDIENCES
from tests.accepted import at
from tests.small_lake import build

FILE = """
audiences:
  - {name: keen, owner: o, description: d, where: buyers AND frequency > 2, purpose: marketing}
  - {name: buyers, owner: o, description: d, where: frequency > 0, purpose: marketing}
  - {name: named, owner: o, description: d, where: "is_known AND coalesce(views_30d, 0) = 0", purpose: analytics, use: profile}
  - {name: nobody, owner: o, description: d, where: NOT buyers AND monetary > 0, purpose: marketing}
"""


def test_the_shipped_file_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert json.loads(last)["faults"] == 0
    assert any(line.startswith("win_back") and "cart_left, lapsed, monetary" in line for line in lines)


def test_sizes_and_overlaps_are_those_of_the_lake(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build(lake)
    stay = {"profile_id": "cat-web", "audience": "buyers", "version": "1", "valid_from": at("2026-01-01 00:00")}
    before = [
        stay,
        stay | {"profile_id": "bob-web"},
        stay | {"profile_id": "ann-phone", "valid_to": at("2026-01-02 00:00")},
    ]
    lake.add(pa.Table.from_pylist(before, arrow_schema(GOLD_AUDIENCES)), GOLD_AUDIENCES)
    (path := tmp_path / "audiences.yaml").write_text(FILE)
    monkeypatch.setenv("STITCHLAKE__LAKE__ROOT", lake.root)
    assert main(["preview", str(path)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    assert (told["profiles"], told["sizes"]) == (3, {"buyers": 2, "keen": 1, "named": 2, "nobody": 0})
    cells = {tuple(line.split()) for line in lines}
    assert ("buyers", "2", "66.7", "%", "2", "1", "1") in cells
    assert ("buyers", "keen", "1", "50", "%", "100", "%") in cells


def test_a_faulty_file_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "audiences.yaml").write_text(
        "audiences: [{name: a, owner: o, description: d, where: b, purpose: marketing}]"
    )
    assert main(["check", str(path)]) == 1
    told = capsys.readouterr()
    assert "audiences.yaml: audiences[0] a.where: unknown column 'b'" in told.err
    assert json.loads(told.out.splitlines()[-1]) == {"command": "audiences check", "faults": 1}


def test_what_it_does_not_know_is_refused() -> None:
    with pytest.raises(StitchlakeError, match=r"got 'list', expected check \[FILE\] or preview \[FILE\]"):
        main(["list"])
