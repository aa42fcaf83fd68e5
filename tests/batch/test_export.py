"""The command: what it prints, what it refuses, and that it is alone."""

import dataclasses
import json
from pathlib import Path

import pytest

import batch.export
from lakehouse.errors import BusyError, ExportError
from lakehouse.exports.ledger import Ledger
from tests.lakehouse.exports.shop import Shop, held_elsewhere, person


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.csv", mode="mirror")
    one.people(person("ann"), person("bob", consent_marketing=False))
    files = one.files()
    monkeypatch.setattr(batch.export, "FILES", files)
    monkeypatch.setattr(batch.export, "load", lambda: one.config)
    return one


def test_it_ends_with_one_line_of_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    batch.export.main(["people", "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    tried = json.loads(lines[-1])
    assert lines[0] == "kept back, 1 rows: no consent to marketing"
    assert (tried["to_send"], tried["withheld"], tried["dry_run"]) == (1, 1, True)
    assert not (shop.folder / "out").exists()
    assert shop.ledger() == {}
    batch.export.main(["people"])
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["command"], done["delivered"], done["read"]) == ("export", 1, 2)
    batch.export.main(["people", "--full"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["delivered"] == 1


def test_of_two_at_once_the_second_is_refused_in_one_line(shop: Shop) -> None:
    with held_elsewhere(shop):
        with pytest.raises(BusyError, match=r"another process writes its export\.people") as refused:
            shop.run()
        assert "\n" not in str(refused.value)
    assert shop.run().counts["delivered"] == 1


def test_a_folder_that_is_no_lake_is_refused_and_stays_one(tmp_path: Path) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.csv", mode="mirror")
    config = one.config
    for folder in ("nowhere", "s3://bucket/lake"):
        one.config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=folder))
        with pytest.raises(ExportError, match="expected a lake on this machine"):
            one.run()
    with pytest.raises(ExportError, match="expected a folder of this machine"):
        Ledger(one.config, "people")
