"""./spark-submit.sh features check."""

import json
from pathlib import Path

import pytest

from lakehouse.commands.features import main
from lakehouse.errors import StitchlakeError


def test_the_shipped_file_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    *_, last = lines = capsys.readouterr().out.splitlines()
    assert json.loads(last)["faults"] == 0
    assert any(line.startswith("views_30d") and "30 days" in line for line in lines)


def test_a_faulty_file_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("features: [{name: a, description: a, aggregation: count, window: 0 d}]")
    assert main(["check", str(path)]) == 1
    told = capsys.readouterr()
    assert "features.yaml: features[0].window: got '0 d', expected 1 h to 1100 d" in told.err
    assert json.loads(told.out.splitlines()[-1]) == {"command": "features check", "faults": 1}


def test_what_it_does_not_know_is_refused() -> None:
    with pytest.raises(StitchlakeError, match=r"got 'list', expected check \[FILE\]"):
        main(["list"])
