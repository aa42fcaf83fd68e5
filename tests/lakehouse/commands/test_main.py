import re
from pathlib import Path

import pytest
import yaml

from lakehouse.commands import __main__ as commands
from lakehouse.commands import launcher, supervisor
from lakehouse.config import paths


def test_every_command_of_the_usage_is_known_and_the_other_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    commands.main(["help"])
    begins = re.findall(r"^  ((?:[a-z-]+ \| )*[a-z-]+)(?=\s|$)", capsys.readouterr().out, re.M)
    assert {word for begin in begins for word in begin.split(" | ")} == set(launcher.COMMANDS)


def test_up_keeps_exports_where_one_is_continuous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(supervisor, "up", lambda _, children: started.extend(child.name for child in children) or 0)
    monkeypatch.setattr(paths, "EXPORTS", tmp_path / "exports.yaml")
    export = {
        **{"name": "people", "owner": "crm", "description": "d", "table": "gold.activation", "to": "there"},
        **{"columns": {"id": "profile_id"}, "key": ["id"], "mode": "upsert", "purpose": "marketing"},
    }
    for is_continuous in (False, True):
        document = {"exports": [export | {"is_continuous": is_continuous}]}
        paths.EXPORTS.write_text(yaml.safe_dump(document))
        started.clear()
        assert commands.main(["up"]) == 0
        assert ("streaming.exports" in started) == is_continuous
        assert "serving" in started
