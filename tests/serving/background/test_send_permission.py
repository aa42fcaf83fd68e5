"""What an action counts for is the same by whichever identifier it knows the person."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse.actions.action import Action
from lakehouse.config import load
from lakehouse.config.declarations import Caps
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.circumstances import DecisionInputs
from lakehouse.decisions.gate import Refused
from lakehouse.decisions.offers import Catalogue, Offer
from lakehouse.decisions.visitor import suppression_key
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.experiments.assignment import bucket
from lakehouse.experiments.definitions import Experiments, Holdout
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.online.store import Document
from lakehouse.rules.book import Rule, RuleBook
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.parse import parse
from serving.background.send_permission import MOST_BEHIND_SECONDS, People, SendPermission
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANA: tuple[Identifier, ...] = (("user_id", "ana"), ("anonymous_id", "a1"))
SALT = next(salt for salt in map(str, range(99)) if bucket(salt, "p-ana") < 5_000)
OFFER: dict[str, Any] = {"title": "t", "owner": "o", "purpose": "marketing", "channels": ("web",), "value": "1.00"}
RULE: dict[str, Any] = {"owner": "o", "when": "true", "effect": "force", "offer": "once"}
OFFERS = {
    "once": Offer(name="once", caps=Caps(lifetime=1), **OFFER),
    "always": Offer(name="always", **OFFER),
}
RULES = {"once": Rule(name="once", caps=Caps(per_day=1), **RULE), "always": Rule(name="always", **RULE)}

INPUTS = DecisionInputs(
    catalogue=Catalogue(OFFERS, {}),
    book=RuleBook({}, {}, []),
    experiments=Experiments({}, Holdout()),
    unavailable=frozenset(),
    consent=Defaults(never_asked=True),
)


@pytest.fixture
def send_permission(tmp_path: Path) -> Iterator[SendPermission]:
    store = LmdbStore(tmp_path / "online")
    put(store, person("p-ana", ANA))
    people = People(store, store, load("dev", environ={}))
    yield SendPermission(people=people, inputs=lambda: INPUTS, rules=lambda: RULES, unheard_seconds=lambda: 0.0)
    store.close()


def action(identifier: Identifier, name: str = "abandoned_cart", **told: Any) -> Action:
    return Action.model_validate(
        {
            **{"decision_id": "d1", "destination": "crm", "cause": "moment", "name": name, "identifiers": [identifier]},
            **{"purpose": "marketing", "created_ms": 0, "expires_ms": 1, **told},
        }
    )


def test_a_person_is_one_by_any_identifier_and_another_is_another(send_permission: SendPermission) -> None:
    by_login, by_cookie, stranger = (
        send_permission.capped(action(one, offer="once"), NOW) for one in (*ANA, ("anonymous_id", "b2"))
    )
    assert by_login == by_cookie == {"p-ana:once"}
    assert len(stranger) == 1
    assert stranger.isdisjoint(by_login)


def test_an_offer_and_a_rule_of_one_name_are_two(send_permission: SendPermission) -> None:
    found = send_permission.capped(action(ANA[0], "once", cause="rule", offer="once"), NOW)
    assert found == {"p-ana:once", "p-ana:rule:once"}


def test_what_has_no_cap_counts_for_nothing_and_looks_nobody_up(send_permission: SendPermission) -> None:
    send_permission.people.find = _away  # type: ignore[method-assign]
    for told in ({}, {"offer": "always"}, {"cause": "rule", "name": "always"}, {"cause": "rule", "name": "gone"}):
        assert send_permission.capped(action(ANA[0], **{"name": "n", **told}), NOW) == frozenset()
    with pytest.raises(StoreError):
        send_permission.capped(action(ANA[0], offer="once"), NOW)


def with_offer(**changes: Any) -> DecisionInputs:
    changed = OFFERS["always"].model_copy(update=changes)
    when = {} if changed.when is None else {"always": compile_predicate(parse(changed.when))}
    return replace(INPUTS, catalogue=Catalogue({"always": changed}, when))


def forbidding() -> DecisionInputs:
    rule = Rule(name="legal", owner="o", when="true", effect="forbid")
    return replace(INPUTS, book=RuleBook({"legal": rule}, {"legal": parse(rule.when)}, []))


REFUSED = {
    "it has expired": (with_offer(valid_to=NOW), "always: no offer is left"),
    "it is not for this person": (with_offer(when="frequency = 0 and segment = 'new'"), "always: no offer is left"),
    "it is sold out": (
        replace(with_offer(products=("p",)), unavailable=frozenset({"p"})),
        "always: no offer is left",
    ),
    "it needs another consent": (
        replace(with_offer(purpose="personalization"), consent=Defaults(never_asked=True)),
        "always: no offer is left",
    ),
    "a rule forbids it": (forbidding(), "always: rule legal"),
    "everybody is held out": (
        replace(INPUTS, experiments=Experiments({}, Holdout(share=0.5, salt=SALT))),
        "held out of every offer by an experiment",
    ),
    "it is an offer no more": (replace(INPUTS, catalogue=Catalogue({}, {})), "always: no longer an offer"),
}
CAUSES: dict[str, dict[str, Any]] = {"moment": {}, "rule": {"cause": "rule", "name": "always", "event": {}}}


def reason(send_permission: SendPermission, one: Action) -> str | None:
    passed = send_permission.permit(one, NOW)
    return passed.reason if isinstance(passed, Refused) else None


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("why", REFUSED)
def test_what_a_moment_or_rule_offers_is_decided_on_as_any_offer_is(
    send_permission: SendPermission, why: str, cause: str
) -> None:
    put(send_permission.people._store, person("p-ana", ANA, version=2, consent_personalization=False))
    one = action(ANA[0], offer="always", **CAUSES[cause])
    assert reason(send_permission, one) is None
    inputs, told = REFUSED[why]
    assert reason(replace(send_permission, inputs=lambda: inputs), one) == told


def test_who_is_named_along_is_left_alone_under_any_name_of_theirs(send_permission: SendPermission) -> None:
    store, cookie, letters = send_permission.people._store, ("anonymous_id", "b2"), ("email", "e")
    put(store, person("p-bo", [cookie, letters]))
    both = action(ANA[0]).model_copy(update={"identifiers": (ANA[0], cookie)})
    assert reason(send_permission, both) is None
    store.put([Document(suppression_key(letters), 1, b"1")])
    assert reason(send_permission, both) == "suppressed"


def test_whom_an_offer_is_for_may_depend_on_the_event_that_set_off_its_rule(send_permission: SendPermission) -> None:
    kettles = replace(send_permission, inputs=lambda: with_offer(when="category = 'kettles' and occurred_at < now"))
    by_kettle, by_toy = (
        action(ANA[0], offer="always", cause="rule", name="always", event={"category": category, "occurred_ms": 1})
        for category in ("kettles", "toys")
    )
    assert reason(kettles, by_kettle) is None
    assert reason(kettles, by_toy) == "always: no offer is left"


def test_while_no_offer_and_no_rule_can_be_read_nobody_is_written_to(send_permission: SendPermission) -> None:
    for nothing in (replace(INPUTS, catalogue=None), replace(INPUTS, book=None), replace(INPUTS, experiments=None)):
        with pytest.raises(StoreError, match="tried again"):
            replace(send_permission, inputs=lambda nothing=nothing: nothing).permit(action(ANA[0]), NOW)


def test_nobody_is_written_to_while_what_people_said_waits_to_be_read(send_permission: SendPermission) -> None:
    assert reason(replace(send_permission, unheard_seconds=lambda: MOST_BEHIND_SECONDS), action(ANA[0])) is None
    for seconds in (MOST_BEHIND_SECONDS + 0.1, math.inf):
        with pytest.raises(StoreError, match="not read yet"):
            replace(send_permission, unheard_seconds=lambda seconds=seconds: seconds).permit(action(ANA[0]), NOW)


def _away(_: object) -> None:
    raise StoreError("the store is away")
