"""exit x purpose x what was said x jurisdiction, every combination, against a rule in plain words.

Exits that ask the gate with what the service knows (an answer, a message, a list of products, what a profile tells), and those that ask it with
what gold says (exports, audiences). Training asks by a column: tests/lakehouse/training/test_consenting.py.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import yaml

from lakehouse.config.limits import PURPOSES
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import DecisionInputs, circumstances_of
from lakehouse.decisions.gate import Permitted, Refused, permit
from lakehouse.decisions.offers import read_catalogue
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import ConfigError
from lakehouse.experiments.definitions import Experiments, Holdout
from lakehouse.exports.permission import Permission
from lakehouse.online.recent_behaviour import RecentBehaviour
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.rules.book import RuleBook
from tests.online_people import person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID_AT = NOW - timedelta(days=3)
ANA = ("anonymous_id", "ana")
DECLARED = (*PURPOSES, "sale")
BY = {"US": ("analytics", "marketing", "sale"), "US-CA": ("analytics",)}
PLACES = ((), ("FR",), ("US",), ("US-CA",), ("US-NY", "US-CA"), ("US", "FR"))
SERVED = ("offer", "products", "profile")
# In gold, what lately came beside it (a word, days after what gold knows), and whether anybody was asked by then.
STATES: Mapping[str, tuple[bool | None, tuple[bool, int, bool] | None]] = {
    "never asked": (None, None),
    "granted": (True, None),
    "denied": (False, None),
    "granted, withdrawn just now": (True, (False, 2, True)),
    "denied, granted just now": (False, (True, 2, True)),
    "never asked, granted just now": (None, (True, 2, True)),
    "never asked, signalled just now": (None, (False, 2, False)),
    "denied as two became one, of whom one had allowed it": (False, (True, -1, True)),
    "granted again, after a no that gold knows": (True, (False, -1, True)),
}


def may(exit_: str, state: str, purpose: str, places: Collection[str], *, never_asked: bool) -> bool:
    in_gold, lately = STATES[state]
    is_heard = exit_ != "gold" and lately is not None and lately[1] > 0
    word = lately[0] if is_heard and lately is not None else in_gold
    if word is not None:
        return word
    if not places:
        return never_asked
    return all(
        purpose in BY["US-CA"] if place == "US-CA" else purpose in BY["US"] if place.startswith("US") else never_asked
        for place in places
    )


def figures(purpose: str, state: str, places: Sequence[str]) -> dict[str, Any]:
    """What gold says of somebody who spoke of this purpose."""
    word = STATES[state][0]
    told: dict[str, Any] = {"jurisdictions": list(places) or None, "is_suppressed": None}
    told["consent_said_at"] = None if word is None else SAID_AT
    if purpose in PURPOSES:
        told[f"consent_{purpose}"] = word
    elif word is not None:
        told["also_allowed" if word else "also_refused"] = [purpose]
    return told


def recent(purpose: str, state: str) -> RecentBehaviour:
    lately = STATES[state][1]
    if lately is None:
        return RecentBehaviour(consent={}, exposures={})
    word, days, is_answer = lately
    at_ms = int((SAID_AT + timedelta(days=days)).timestamp() * 1000)
    return RecentBehaviour(
        consent={purpose: word}, consent_ms={purpose: at_ms}, asked_ms=at_ms if is_answer else None, exposures={}
    )


def inputs(never_asked: bool) -> DecisionInputs:
    return DecisionInputs(
        catalogue=None,
        book=RuleBook({}, {}, []),
        experiments=Experiments({}, Holdout()),
        unavailable=frozenset(),
        consent=Defaults(never_asked=never_asked, by_jurisdiction=BY, purposes=DECLARED),
    )


def by_gold(row: Mapping[str, Any], purpose: str, never_asked: bool) -> Permitted[str] | Refused:
    """Through the permission of exports and audiences."""
    columns = {column.name: [row.get(column.name)] for column in GOLD_ACTIVATION.columns} | {"profile_id": ["p"]}
    lists = ("user_ids", "also_allowed", "also_refused", "jurisdictions")
    types = {name: pa.list_(pa.string()) for name in lists}
    table = pa.table({name: pa.array(held, types.get(name)) for name, held in columns.items()})
    gold = SimpleNamespace(version=lambda _: "1", rows=lambda _, names: table.select(list(names)))
    kept = SimpleNamespace(scan=lambda _: ())
    permission = Permission(gold, kept, inputs(never_asked), purpose=purpose, use="offer", clock=lambda: NOW)  # type: ignore[arg-type]
    permission.look()
    return permission.permit("a row", "p", {})


@pytest.mark.parametrize("never_asked", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_every_exit_asks_for_its_purpose_where_they_are(state: str, never_asked: bool) -> None:
    for purpose, places in itertools.product(DECLARED, PLACES):
        told = figures(purpose, state, places)
        profile = person("p", [ANA], **told)
        visitor = Visitor(identifier=ANA, profile=profile, recent=recent(purpose, state))
        found = circumstances_of(visitor, inputs(never_asked), now=NOW)
        assert set(found.consent) == set(DECLARED)
        for use in SERVED:
            passed = isinstance(permit("it", found, purpose, use), Permitted)  # type: ignore[arg-type]
            assert passed == may(use, state, purpose, places, never_asked=never_asked), (use, purpose, places)
        passed = isinstance(by_gold(told, purpose, never_asked), Permitted)
        assert passed == may("gold", state, purpose, places, never_asked=never_asked), ("gold", purpose, places)


def test_nothing_leaves_for_a_purpose_that_nobody_declared() -> None:
    visitor = Visitor(identifier=ANA, profile=person("p", [ANA]), recent=RecentBehaviour(consent={}, exposures={}))
    refused = permit("it", circumstances_of(visitor, inputs(True), now=NOW), "resale")
    assert isinstance(refused, Refused)
    assert refused.reason == "resale: not among consent.purposes. Declare it in conf"


def test_whoever_answered_was_asked_of_all_of_it() -> None:
    """Who answers just now, and names no marketing, did not allow it; a browser's signal is no answer."""
    for is_answer, holds in ((True, False), (False, True)):
        lately = RecentBehaviour(
            consent={"analytics": True}, consent_ms={"analytics": 1}, asked_ms=1 if is_answer else None, exposures={}
        )
        visitor = Visitor(identifier=ANA, profile=None, recent=lately)
        assert visitor.consent(Defaults(never_asked=True))["marketing"] == holds


def test_an_offer_may_be_for_any_purpose_that_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "offers.yaml"
    offer = {"name": "a", "title": "t", "owner": "o", "purpose": "sale", "channels": ["web"], "value": 1}
    path.write_text(yaml.safe_dump({"offers": [offer]}))
    assert read_catalogue(path, purposes=DECLARED).offers["a"].purpose == "sale"
    with pytest.raises(
        ConfigError, match="purpose: got 'sale', expected 'analytics' or 'personalization' or 'marketing'"
    ):
        read_catalogue(path)
