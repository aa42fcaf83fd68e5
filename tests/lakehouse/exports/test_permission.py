"""Exports are an exit of the matrix in tests/serving/test_exit_matrix.py: what people said x how they are left alone x experiments x use, all combinations."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from lakehouse.decisions.experiment_unit import unit_key
from lakehouse.experiments.assignment import bucket
from lakehouse.online.engines import open_kept_store
from lakehouse.online.store import Document
from tests.lakehouse.exports.shop import Shop, person

CONSENTS = (True, False, None)
SUPPRESSIONS = ("none", "by the lake", "just now")
GROUPS = ("none", "held out", "arm without offers")
SALT = "h"
QUIET = {
    **{
        "name": "quiet",
        "owner": "crm",
        "layer": "quiet",
        "buckets": [0, 3000],
        "baseline": "a",
        "metrics": ["converted"],
    },
    "arms": [{"name": "a", "offers": "none"}, {"name": "b", "offers": "none"}],
}


def may_leave(consent: bool | None, suppression: str, group: str, use: str, *, is_assumed: bool) -> bool:
    """The rule."""
    if suppression != "none" or group == "held out" or (group == "arm without offers" and use == "offer"):
        return False
    return consent is True or (consent is None and is_assumed)


def named(group: str, number: int) -> str:
    """A name whose buckets are those of the group."""
    for attempt in itertools.count():
        name = f"p{number}-{attempt}"
        is_held_out, is_quiet = bucket(SALT, name) < 3000, bucket("quiet", name) < 3000
        if (is_held_out, is_quiet) == (group == "held out", group == "arm without offers"):
            return name
    raise AssertionError


@pytest.mark.parametrize("use", ["offer", "profile"])
@pytest.mark.parametrize("is_assumed", [True, False])
def test_nobody_is_told_of_against_their_word_and_everybody_else_is(tmp_path: Path, use: str, is_assumed: bool) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.jsonl", mode="mirror", use=use)
    one.config = with_consent(one.config, "granted" if is_assumed else "denied")
    one.experiments = {"experiments": [QUIET], "holdout": {"share": 0.3, "salt": SALT}}
    expected, rows = set(), []
    for number, (consent, suppression, group) in enumerate(itertools.product(CONSENTS, SUPPRESSIONS, GROUPS)):
        name = named(group, number)
        rows.append(person(name, consent_marketing=consent, is_suppressed=suppression == "by the lake" or None))
        if suppression == "just now":
            one.suppress(name, f"token-{number}")
        if may_leave(consent, suppression, group, use, is_assumed=is_assumed):
            expected.add(name)
    one.people(*rows)
    counts = one.run().counts
    assert set(one.ledger()) == expected
    assert (counts["read"], counts["delivered"]) == (len(rows), len(expected))
    assert expected


def test_who_was_first_counted_as_somebody_held_out_stays_so(tmp_path: Path) -> None:
    one = Shop(tmp_path, {"kind": "folder", "path": str(tmp_path / "out")}, into="people.jsonl", mode="mirror")
    one.experiments = {"experiments": [], "holdout": {"share": 0.3, "salt": SALT}}
    served, held_out = named("none", 1), named("held out", 2)
    kept = open_kept_store(one.config)
    kept.put([Document(unit_key(("profile_id", served)), 1, f'[1,"{held_out}"]'.encode())])
    kept.close()
    one.people(person(served))
    assert one.run().counts["withheld"] == 1


def with_consent(config: Any, never_asked: str) -> Any:
    return dataclasses.replace(config, consent=dataclasses.replace(config.consent, never_asked=never_asked))
