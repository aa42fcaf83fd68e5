"""Promotion and rollback move the alias, remember who was champion, and stand in the audit log."""

import json
from typing import Any

import pytest

from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.lock import open_lake
from lakehouse.models.aliases import CHALLENGER, PASSED, card_of, promote, rollback, version_of, versions
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import CHAMPION, Champions
from lakehouse.tables.audit import OPS_AUDIT
from tests.lakehouse.models.test_registry import SCORES, parameters


def register(config: Config, *, is_champion: bool = False, **changes: Any) -> str:
    trained = Trained(
        name=SCORES, parameters=parameters(offset=1.0), metrics={"test_auc": 0.75}, settings={"seed": 7}, snapshot={}, **changes
    )  # fmt: skip
    return publish(config, trained, is_champion=is_champion)


def champion(config: Config) -> str:
    champions = Champions(config)
    champions.refresh()
    return champions.versions[SCORES]


def test_a_training_makes_a_challenger_that_speaks_once_it_is_promoted(config: Config) -> None:
    with pytest.raises(ModelError, match="none yet"):
        list(versions(config))
    first = register(config, files={"card.md": b"# card\n"}, tags={"gate": PASSED})
    champions = Champions(config)
    champions.refresh()
    assert champions.versions == {}
    (found,) = versions(config)
    assert (found.number, found.aliases, found.gate, found.metrics) == (
        first,
        (CHALLENGER,),
        PASSED,
        {"test_auc": 0.75},
    )
    assert card_of(config, found) == "# card\n"
    with pytest.raises(ModelError, match="no version '9' of model 'scores'"):
        version_of(config, SCORES, "9")
    with pytest.raises(ModelError, match="no champion, expected one"):
        rollback(config, SCORES, to=None, by="ann", why="none")
    promote(config, SCORES, first, by="ann", why="better")
    assert version_of(config, SCORES, None).aliases == (CHAMPION,)
    assert champion(config) == first


def test_rollback_goes_back_champion_by_champion_and_stands_in_the_audit_log(config: Config) -> None:
    open_lake(config)  # the lake is one, so that it has a log
    one, two, three = (register(config, is_champion=True) for _ in range(3))
    promote(config, SCORES, three, by="ann", why="twice")
    assert rollback(config, SCORES, to=None, by="ann", why="worse") == two
    assert champion(config) == two
    assert rollback(config, SCORES, to=None, by="bob", why="worse still") == one
    with pytest.raises(ModelError, match="no champion before version 1"):
        rollback(config, SCORES, to=None, by="ann", why="again")
    promote(config, SCORES, three, by="ann", why="mended")
    with pytest.raises(ModelError, match=f"version {two} of scores was no champion, expected one of {one}"):
        rollback(config, SCORES, to=two, by="ann", why="who was rolled back is none")
    assert rollback(config, SCORES, to=one, by="ann", why="named") == one

    path = f"{config.lake.root}/{OPS_AUDIT.name.replace('.', '/')}"
    rows = [row for batch in delta_rs.batches(path, arrow_schema(OPS_AUDIT)) for row in batch.to_pylist()]
    rows.sort(key=lambda row: row["number"])
    assert [row["kind"] for row in rows] == [*["promotion"] * 4, "rollback", "rollback", "promotion", "rollback"]
    second = {"model": SCORES, "version": one, "before": two, "why": "worse still"}
    assert (rows[5]["by"], json.loads(rows[5]["detail"])) == ("bob", second)
