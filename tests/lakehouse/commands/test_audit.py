"""`audit verify`: says what is wrong, and leaves with 1."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.commands import audit as command
from lakehouse.config import Config
from lakehouse.errors import StitchlakeError
from lakehouse.lake import audit
from lakehouse.lake.audited_reads import note_reads
from lakehouse.lake.lock import open_lake
from lakehouse.lake.profile_read import ProfileRead, hash_of


def test_verify_prints_the_head_and_finds_another(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load", lambda: config)
    open_lake(config)
    audit.note(config, "key", by="ann", detail={"name": "shop"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert command.main(["verify"]) == 0
    head = capsys.readouterr().out.splitlines()[0].removeprefix("head ")
    assert command.main(["verify", "--head", head]) == 0
    assert command.main(["verify", "--head", "7:abc"]) == 1
    Path(config.lake.root, audit.HEAD).write_text("{}")
    assert command.main(["verify"]) == 1
    assert "was changed" in capsys.readouterr().out


def test_reads_prints_who_was_told_of_a_profile(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load", lambda: config)
    open_lake(config)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    note_reads(config, [ProfileRead(at=at, by="crm", profile=hash_of(config.privacy, "p-ann"))], now=at)
    assert command.main(["reads", "p-ann"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[2:] == ["crm", "GET", "/api/profiles"]
    assert command.main(["reads", "p-bob"]) == 0
    assert '"rows": 0' in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["check"], ["verify", "--head", "x:1"], ["verify", "--head"], ["reads"]])
def test_other_words_are_refused(argv: list[str]) -> None:
    with pytest.raises(StitchlakeError, match="expected verify"):
        command.main(argv)
