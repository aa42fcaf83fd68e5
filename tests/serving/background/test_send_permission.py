"""What an action counts for is the same by whichever identifier it knows the person."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse.actions.action import Action
from lakehouse.config import load
from lakehouse.config.declarations import Caps
from lakehouse.decisions.offers import Offer
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.rules.book import Rule
from serving.background.send_permission import People, SendPermission
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANA: tuple[Identifier, ...] = (("user_id", "ana"), ("anonymous_id", "a1"))
OFFER: dict[str, Any] = {"title": "t", "owner": "o", "purpose": "marketing", "channels": ("web",), "value": "1.00"}
RULE: dict[str, Any] = {"owner": "o", "when": "true", "effect": "force", "offer": "once"}
OFFERS = {
    "once": Offer(name="once", caps=Caps(lifetime=1), **OFFER),
    "always": Offer(name="always", **OFFER),
}
RULES = {"once": Rule(name="once", caps=Caps(per_day=1), **RULE), "always": Rule(name="always", **RULE)}


@pytest.fixture
def send_permission(tmp_path: Path) -> Iterator[SendPermission]:
    store = LmdbStore(tmp_path / "online")
    put(store, person("p-ana", ANA))
    people = People(store, store, load("dev", environ={}))
    yield SendPermission(people=people, assumed=True, offers=lambda: OFFERS, rules=lambda: RULES)
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


def _away(_: object) -> None:
    raise StoreError("the store is away")
