"""API, lane and destination: whatever silences one of them silences all three, for the same reason."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from lakehouse.actions.action import Action
from lakehouse.config import Config
from lakehouse.decisions.circumstances import Circumstances
from lakehouse.decisions.decide import Decided, OfferRequest, decide
from lakehouse.decisions.visitor import suppression_key
from lakehouse.errors import ConfigError, StoreError
from lakehouse.experiments.assignment import bucket
from lakehouse.online.store import Document, OnlineStore
from serving.__main__ import make_service
from serving.background.people import People
from serving.background.rule_actions import RuleActions
from serving.deciding.lane_decisions import LaneDecisions
from serving.deciding.next_best_action import next_best_action
from serving.messages.request_models import DecisionRequest
from serving.service import Service
from tests.benchmarks.visitors import mark_filled
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA = ("anonymous_id", "ana")
CALLERS = ("next_best_action", "lane_decisions", "rule_actions")
PLACES = {
    "next_best_action": "serving.deciding.next_best_action.decide",
    "lane_decisions": "serving.deciding.lane_decisions.decide",
    "rule_actions": "serving.background.rule_actions.decide",
}
GIFT = {"name": "gift", "title": "Gift", "owner": "crm", "purpose": "marketing", "channels": ["web"], "value": 5}
ADDED = {
    **{"name": "added", "owner": "crm", "when": "event_name = 'Product Added'", "effect": "force", "offer": "gift"},
    **{"events": ["Product Added"], "destinations": ["crm"]},
}
LEGAL = {"name": "legal", "owner": "legal", "when": "true", "effect": "forbid"}
SALT = next(salt for salt in map(str, range(99)) if bucket(salt, ":".join(ANA)) < 5_000)
ARMS = [{"name": name, "offers": "none"} for name in ("a", "b")]
EXPERIMENT = {
    **{"name": "quiet", "owner": "crm", "layer": "offers", "buckets": [0, 10_000], "arms": ARMS},
    **{"baseline": "a", "metrics": ["converted"]},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A state of the shop and of Ana; `silence`: why nobody says anything to her. None: all three say gift."""

    silence: str | None
    offer: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Mapping[str, Any], ...] = ()
    experiments: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    is_suppressed: bool = False
    is_filled: bool = True


HELD_OUT = "held out of every offer by an experiment"
CASES = {
    "nothing speaks against it": Case(silence=None),
    "suppressed": Case(silence="suppressed", is_suppressed=True),
    "held out": Case(silence=HELD_OUT, experiments={"holdout": {"share": 0.5, "salt": SALT}}),
    "an arm without offers": Case(silence=HELD_OUT, experiments={"experiments": [EXPERIMENT]}),
    "the visitor is missing": Case(silence="consent cannot be looked up", is_filled=False),
    "no consent": Case(silence="no offer is left", profile={"consent_marketing": False}),
    "not eligible": Case(silence="no offer is left", offer={"when": "frequency > 5"}),
    "a rule forbids every offer": Case(silence="rule legal", rules=(LEGAL,)),
    "a rule forbids this offer": Case(silence="no offer is left", rules=({**LEGAL, "offer": "gift"},)),
}


@dataclass(eq=False)
class Shop:
    """The three callers over one store and one set of files, and what each was told."""

    service: Service
    decided: dict[str, Decided] = field(default_factory=dict)
    pushed: list[bytes] = field(default_factory=list)
    queued: list[Action] = field(default_factory=list)

    def push(self, message: bytes) -> bool:
        """As a listener of the WebSocket."""
        self.pushed.append(message)
        return True

    async def ask(self) -> dict[str, Any]:
        event = {"type": "track", "event": "Product Added", "properties": {"product_id": "p-1"}}
        body = {"identifier": dict(zip(("type", "value"), ANA, strict=True)), "events": [event]}
        return await next_best_action(self.service, DecisionRequest.model_validate(body))

    async def hear(self) -> None:
        LaneDecisions(self.service).handle([candidate("lane")])
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    def act(self) -> None:
        service = self.service
        RuleActions(
            config=service.config,
            reader=service.reader,
            people=People(service.store, service.kept, service.config),
            rules=service.rules,
            offers=service.catalogue,
            features=service.features,
            experiments=service.experiments,
            stock=service.stock,
            clock=service.clock,
            emit=self.queued.append,
        ).handle([candidate("destination")])


def candidate(decision_id: str) -> bytes:
    told = {
        **{"decision_id": decision_id, "rule": "added", "message_id": decision_id, "identifiers": [ANA]},
        **{"event_type": "track", "event_name": "Product Added", "product_id": "p-1"},
        **{"occurred_at": int(NOW.timestamp() * 1000)},
    }
    return orjson.dumps(told)


@pytest.fixture
def shop(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for name in ("RULES", "OFFERS", "EXPERIMENTS"):
        monkeypatch.setattr(f"serving.__main__.{name}", tmp_path / f"{name.lower()}.yaml")
    config = replace(config, online_store=replace(config.online_store, url=f"lmdb://{tmp_path}/online"))
    service = make_service(config, clock=lambda: NOW)
    shop = Shop(service)
    service.sockets.add(shop, [":".join(ANA)])  # type: ignore[arg-type] # a listener is pushed to, nothing else
    for caller, place in PLACES.items():

        def spy(request: OfferRequest, circumstances: Circumstances, caller: str = caller) -> Decided:
            shop.decided[caller] = decide(request, circumstances)
            return shop.decided[caller]

        monkeypatch.setattr(place, spy)
    yield shop
    for pending in (service.pending, service.facts):
        pending.close()
        pending.store.close()


def arrange(shop: Shop, case: Case, folder: Path) -> None:
    rules = [ADDED, *case.rules]
    (folder / "offers.yaml").write_text(yaml.safe_dump({"offers": [{**GIFT, **case.offer}]}))
    (folder / "rules.yaml").write_text(yaml.safe_dump({"rules": rules}))
    (folder / "experiments.yaml").write_text(yaml.safe_dump({"experiments": [], **case.experiments}))
    store: OnlineStore = shop.service.store
    if case.profile:
        put(store, person("p-ana", [ANA], **case.profile))
    if case.is_suppressed:
        shop.service.kept.put([Document(suppression_key(ANA), 1, b"1")])
    if case.is_filled:
        mark_filled(store)
    shop.service.visitors.look()


@pytest.mark.parametrize("name", CASES)
def test_one_decision_is_made_the_same_whoever_asks(shop: Shop, name: str, tmp_path: Path) -> None:
    case = CASES[name]
    arrange(shop, case, tmp_path)
    answer = asyncio.run(shop.ask())
    asyncio.run(shop.hear())
    callers = set(CALLERS)
    if case.is_filled:
        shop.act()
    else:
        callers.remove("rule_actions")
        with pytest.raises(StoreError):  # it can wait: the candidate is decided on once the store is filled
            shop.act()
    assert {caller: shop.decided[caller].silence for caller in callers} == dict.fromkeys(callers, case.silence)
    assert answer["silent_because"] == case.silence
    is_said = case.silence is None
    assert [answer["action"], len(shop.pushed), len(shop.queued)] == ["gift" if is_said else "none", is_said, is_said]


def test_a_candidate_waits_for_experiments_that_could_never_be_read(shop: Shop, tmp_path: Path) -> None:
    arrange(shop, CASES["nothing speaks against it"], tmp_path)
    (tmp_path / "experiments.yaml").write_text("experiments: 1")
    with pytest.raises(ConfigError, match=r"experiments.yaml: .* before it is mended"):
        shop.act()
    assert not shop.queued
