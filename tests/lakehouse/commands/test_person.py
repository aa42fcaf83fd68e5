"""The words of `person`; what it does is in tests/lakehouse/people/test_erasure.py."""

from datetime import UTC, datetime

import pytest

from lakehouse.commands import person as command
from lakehouse.config import Config
from lakehouse.errors import LakeError, StitchlakeError
from lakehouse.people.requests import new


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "expected export"),
        (["forget", "email", "a@b.example"], "expected export"),
        (["erase", "email"], "expected export"),
        (["models", "e1", "--all"], "got '--all'"),
        (["erase", "email", "a@b.example", "--by", "ann"], "--by or --why missing"),
        (["erase", "email", "a@b.example", "--by", "ann", "--why", " "], "--by or --why missing"),
        (["export", "email", "a@b.example"], "--to missing"),
        (["export", "email", "a@b.example", "--to", "x", "--all"], "got '--all'"),
    ],
)
def test_what_is_missing_or_too_much_is_said(argv: list[str], says: str) -> None:
    with pytest.raises(StitchlakeError, match=says):
        command.main(argv)


@pytest.mark.parametrize(
    ("type_", "value", "says"), [("emial", "a@b.example", "did you mean 'email'"), ("email", "no address", "malformed")]
)
def test_an_identifier_that_is_none_is_refused_before_anything_is_asked(
    config: Config, monkeypatch: pytest.MonkeyPatch, type_: str, value: str, says: str
) -> None:
    monkeypatch.setattr(command, "load", lambda: config)
    with pytest.raises(StitchlakeError, match=says):
        command.main(["erase", type_, value, "--by", "ann", "--why", "a letter"])


def test_where_there_is_no_lake_nobody_is_asked(config: Config) -> None:
    asked = new(("user_id", "u1"), by="ann", reason="a letter", at=datetime.now(UTC), every=False)
    with pytest.raises(LakeError, match="no lake"):
        command.erase(config, asked)
