"""Left alone from the moment it is asked, by every name, and not for longer than the erasure; a word of their own stays theirs."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.commands import person as command
from lakehouse.config import Config
from lakehouse.decisions.visitor import suppression, suppression_key
from lakehouse.errors import BusyError
from lakehouse.events.identifier import Identifier
from lakehouse.lake.lock import open_lake
from lakehouse.online.engines import open_kept_store
from lakehouse.people.requests import WAITING, new
from lakehouse.people.silence import lift, silence

AT = datetime(2026, 5, 1, tzinfo=UTC)
ANN, PHONE = ("email", "ann"), ("anonymous_id", "phone")


def words(config: Config, *identifiers: Identifier) -> Sequence[bytes | None]:
    with closing(open_kept_store(config)) as kept:
        return kept.get(list(map(suppression_key, identifiers)))


def test_it_is_left_alone_until_the_request_is_refused_and_a_word_of_their_own_stays(config: Config) -> None:
    open_lake(config)
    asked = new(ANN, by="dpo", reason="a letter", at=AT, every=False)
    with closing(open_kept_store(config)) as kept:
        kept.put([suppression(PHONE, AT, is_suppressed=True)])
    silence(config, asked, [ANN, PHONE])
    first, second = words(config, ANN, PHONE)
    assert (first is not None, second) == (True, b"1")
    silence(config, replace(asked, erasure_id="another"), [ANN])
    assert words(config, ANN) == [first]
    for request, identifier in ((replace(asked, erasure_id="another"), ANN), (replace(asked, identifier=PHONE), PHONE)):
        lift(config, request)
        assert words(config, identifier) != [None]
    lift(config, asked)
    assert words(config, ANN, PHONE) == [None, b"1"]


def test_whoever_asks_for_an_erasure_leaves_them_alone_before_anybody_carries_it_out(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams run, and do not come to it."""
    open_lake(config)
    seen: list[object] = []

    def busy(*_: object) -> None:
        seen.append((words(config, ANN) != [None], [path.name for path in Path(config.lake.root, WAITING).iterdir()]))
        raise BusyError("streams run")

    monkeypatch.setattr(command, "opened", busy)
    monkeypatch.setattr(command, "PATIENCE_SECONDS", 0.0)
    asked = new(ANN, by="dpo", reason="a letter", at=AT, every=False)
    with pytest.raises(BusyError, match="It stays asked for"):
        command.erase(config, asked)
    assert seen == [(True, [asked.file])]
