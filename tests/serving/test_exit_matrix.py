"""The exit matrix: whatever can leave, by whatever rung, to whomever. What may is said once, in `may_leave`, in plain words.

exit x rung x what somebody said of consent x suppression x experiment, all combinations, each of which is a person of one store.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml

from lakehouse.actions.action import Action
from lakehouse.actions.delivery import Result, Sent
from lakehouse.actions.performers import Perform, by_topic, to_machine, to_mailbox
from lakehouse.actions.templates import Letter, Templates
from lakehouse.config import Config
from lakehouse.config.paths import TEMPLATES
from lakehouse.decisions.gate import Permitted
from lakehouse.decisions.visitor import suppression_key
from lakehouse.errors import ConfigError, StoreError
from lakehouse.experiments.assignment import bucket
from lakehouse.feature_book.book import declared_features
from lakehouse.online.online_profile import OnlineProfile
from lakehouse.online.recent_entries import BEHAVIOUR, entries, key_of, remember
from lakehouse.online.store import Document, Entry
from lakehouse.recommend.proposal import Proposal
from serving.__main__ import make_service
from serving.api.visitor_profile import profile
from serving.background.people import People
from serving.background.rule_actions import RuleActions
from serving.background.send_permission import SendPermission
from serving.deciding.lane_decisions import LaneDecisions
from serving.deciding.next_best_action import next_best_action
from serving.deciding.recommendations import recommendations
from serving.messages.request_models import DecisionRequest, RecommendationRequest
from serving.service import Service
from tests.benchmarks.visitors import mark_filled
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_MS = int(NOW.timestamp() * 1000)

CONSENTS = ("granted", "granted just now", "denied", "withdrawn just now", "never asked", "refused something unmapped")
SUPPRESSIONS = ("none", "by this identifier", "by another identifier", "by the lake")
GROUPS = ("none", "held out", "arm without offers", "arm of what everybody likes")
RUNGS = ("full", "cached", "popularity", "rules only", "under pressure", "store down", "kept store down",
         "no rules", "no experiments")  # fmt: skip
EXITS = ("decide", "products", "profile", "push", "queue", "webhook", "letter", "record", "message without an offer")
OF_OFFERS = frozenset(EXITS) - {"products", "profile"}
BLIND = frozenset({"store down", "kept store down", "no rules", "no experiments"})


def may_leave(exit_: str, rung: str, who: "Who", *, is_assumed: bool) -> bool:
    """The rule."""
    if rung in BLIND or (rung == "under pressure" and exit_ in ("decide", "products")):
        return False  # nobody knows what they said, or what forbids it
    if who.suppression != "none" or who.group == "held out":
        return False
    if who.group == "arm without offers" and exit_ in OF_OFFERS:
        return False
    if who.group == "arm of what everybody likes" and exit_ == "products":
        return False
    return who.consent in ("granted", "granted just now") or (who.consent == "never asked" and is_assumed)


class Who(NamedTuple):
    """One person of the matrix."""

    name: str
    consent: str
    suppression: str
    group: str


HOLDOUT = {"share": 0.3, "salt": "h"}
LAYERS = {"arm without offers": "quiet", "arm of what everybody likes": "popular"}
_QUIET, _POPULAR = ({"offers": "none"}, {"recommendations": "popularity"})
EXPERIMENTS = [
    {
        **{
            "name": layer,
            "owner": "crm",
            "layer": layer,
            "buckets": [0, 3000],
            "baseline": "a",
            "metrics": ["converted"],
        },
        "arms": [{"name": name, **arm} for name in ("a", "b")],
    }
    for layer, arm in (("quiet", _QUIET), ("popular", _POPULAR))
]


def group_of(profile_id: str) -> str:
    """The one group it is in; empty where it is in several."""
    found = ["held out"] if bucket(HOLDOUT["salt"], profile_id) < 3000 else []  # type: ignore[arg-type]
    found += [group for group, layer in LAYERS.items() if bucket(layer, profile_id) < 3000]
    return found[0] if len(found) == 1 else "" if found else "none"


def everybody() -> list[Who]:
    """One person for each combination, by a name whose hash puts them into their group."""
    people, numbers = [], itertools.count()
    for consent, suppression, group in itertools.product(CONSENTS, SUPPRESSIONS, GROUPS):
        name = next(name for number in numbers if group_of(f"p-{(name := f'n{number}')}") == group)
        people.append(Who(name, consent, suppression, group))
    return people


class Model:
    """Proposes what somebody looked at before what everybody likes."""

    version = "m1"

    def propose(self, actions: Sequence[Any], *, last_bought: Mapping[str, int] = {}, **_: Any) -> list[Proposal]:
        seen = list(dict.fromkeys(one.product_id for one in actions))
        wanted = [*seen, "popular-1", "popular-2", "owned"]
        return [Proposal(product, 1.0 / n, "m") for n, product in enumerate(wanted, 1) if product not in last_bought]

    def is_waiting(self, *_: Any) -> bool:
        return True

    def category_of(self, _: str) -> None:
        return None


OFFER = {
    "title": "Gift",
    "owner": "crm",
    "channels": ["web", "email"],
    "value": 5,
    "purpose": "marketing",
    "content": {"headline": "Yours"},
}
RULES = [
    {
        **{"name": "added", "owner": "crm", "when": "event_name = 'Product Added'", "effect": "force", "offer": "gift"},
        **{"events": ["Product Added"], "destinations": ["record"]},
    },
    {"name": "champions", "owner": "crm", "when": "segment = 'champions'", "effect": "force", "products": ["personal"]},
]


@dataclass(eq=False)
class World:
    """A service, its background and every exit of theirs; what left is in `left`."""

    service: Service
    people: Sequence[Who]
    left: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        service = self.service
        self.known = People(service.store, service.kept, service.config)
        self.rule_actions = RuleActions(
            config=service.config,
            reader=service.reader,
            people=self.known,
            rules=service.rules,
            offers=service.catalogue,
            features=service.features,
            experiments=service.experiments,
            stock=service.stock,
            clock=service.clock,
            emit=lambda action: self.left.add(("queue", action.identifiers[0][1])),
        )
        self.permission = SendPermission(
            people=self.known,
            inputs=self.rule_actions.inputs,
            rules=self.rule_actions.by_name,
            unheard_seconds=lambda: 0.0,
        )

    def push_to(self, name: str) -> Any:
        world = self

        class Listener:
            def push(self, _: bytes) -> bool:
                world.left.add(("push", name))
                return True

        return Listener()

    def destinations(self) -> dict[str, Perform]:
        """What each does with an action that passed: the worker, which can give them nothing else, is tested beside it."""
        world, catalogue = self, self.service.catalogue.current
        known = {} if catalogue is None else dict(catalogue.offers)

        def call(body: Permitted[Any], _: str) -> Result:
            exit_ = "webhook" if body.what["offer"] else "message without an offer"
            self.left.add((exit_, body.what["identifiers"][0]["token"]))
            return Sent()

        def tell(_: str, __: str, value: bytes) -> None:
            self.left.add(("record", orjson.loads(value)["identifiers"][0]["token"]))

        class Post:
            def send(self, letter: Permitted[Letter], address: str, _: str) -> Result:
                assert letter.what.text
                world.left.add(("letter", address))
                return Sent()

        class Addresses:
            def latest(self, known: OnlineProfile) -> str:
                return known.identifiers[0][1]

        post: Any = Post()
        templates = Templates(TEMPLATES)
        return {
            "webhook": to_machine(call, offers=lambda: known),
            "record": to_machine(by_topic(tell, "t"), offers=lambda: known),
            "letter": to_mailbox(post, offers=lambda: known, addresses=Addresses(), templates=templates, links=None),
        }

    async def ask(self) -> None:
        """Every answer of the API, for everybody."""
        anybody = self.products(await self.recommend("nobody-at-all"))
        for who in self.people:
            body = {"customer_id": who.name, "context": {"page_type": "home"}}
            if (await next_best_action(self.service, DecisionRequest.model_validate(body)))["action"] != "none":
                self.left.add(("decide", who.name))
            shown = self.products(await self.recommend(who.name))
            if shown != anybody:
                self.left.add(("products", who.name))
            told = await profile(self.service, "user_id", who.name)
            if told["profile"].get("segment") or told["profile"].get("bought") or told["recent"]["viewed_24h"]:
                self.left.add(("profile", who.name))
            if told["features"]["views_7d"] is not None:
                self.left.add(("profile", who.name))
                assert told["features"]["views_7d"] == 7
        LaneDecisions(self.service).handle([candidate(who.name) for who in self.people])
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    async def recommend(self, name: str) -> dict[str, Any]:
        body = {"customer_id": name, "count": 6}
        return await recommendations(self.service, RecommendationRequest.model_validate(body))

    def products(self, answer: dict[str, Any]) -> list[str]:
        return [item["product_id"] for item in answer["items"]]

    def act(self) -> None:
        """Everything a destination does, for everybody; what cannot be known now is waited for."""
        performs = self.destinations()
        for who in self.people:
            with suppress(StoreError, ConfigError):
                self.rule_actions.handle([candidate(who.name)])
            for destination, cause, offer in ACTIONS:
                with suppress(StoreError):
                    passed = self.permission.permit(action(who.name, destination, cause, offer), NOW)
                    if isinstance(passed, Permitted):
                        performs[destination](passed)


ACTIONS = (
    ("webhook", "moment", "gift"),
    ("webhook", "rule", "gift"),
    ("webhook", "moment", None),
    ("record", "rule", "gift"),
    ("letter", "moment", "gift"),
)


def action(name: str, destination: str, cause: str, offer: str | None) -> Action:
    told = {
        **{"decision_id": f"a-{name}", "destination": destination, "cause": cause, "identifiers": [("user_id", name)]},
        **{"name": "added" if cause == "rule" else "abandoned_cart", "offer": offer, "purpose": "marketing"},
        **{"created_ms": AT_MS, "expires_ms": AT_MS + 1000, "event": {} if cause == "rule" else None},
    }
    return Action.model_validate(told)


def candidate(name: str) -> bytes:
    told = {
        **{"decision_id": f"c-{name}", "rule": "added", "message_id": f"c-{name}", "identifiers": [("user_id", name)]},
        **{"event_type": "track", "event_name": "Product Added", "product_id": "p-1", "occurred_at": AT_MS},
    }
    return orjson.dumps(told)


def settle(service: Service, who: Who) -> None:
    """Put the person into the stores, as the lake and the collector would."""
    said = {"granted": True, "denied": False, "withdrawn just now": True}.get(who.consent)
    figures: dict[str, Any] = dict.fromkeys(("consent_marketing", "consent_personalization"), said)
    figures |= {"segment": "champions", "is_suppressed": True if who.suppression == "by the lake" else None}
    identifiers = [("user_id", who.name), ("anonymous_id", f"a-{who.name}")]
    views = str(declared_features(service.config).by_name["views_7d"].partial)
    sums = {views: {"n": 30, "at": [int(NOW.timestamp()) // 86_400], "events": [7]}}
    known = person(
        f"p-{who.name}", identifiers, bought=("owned",), bought_at=(NOW,), sums=orjson.dumps(sums).decode(), **figures
    )
    put(service.store, known)
    viewed = {"kind": "view", "product_id": f"seen-by-{who.name}"}
    service.store.append(
        {key_of(BEHAVIOUR, ("user_id", who.name)): [Entry(AT_MS - 1000, f"v-{who.name}", orjson.dumps(viewed))]}, keep=9
    )
    answers: dict[str, dict[str, object]] = {
        "granted just now": {"marketing": True, "personalization": True},
        "withdrawn just now": {"marketing": False, "functional": "denied"},
        "refused something unmapped": {"c0099": False},
    }
    if (answer := answers.get(who.consent)) is not None:
        message = {
            **{"messageId": f"m-{who.name}", "type": "track", "event": "x", "userId": who.name},
            **{"context": {"consent": {"categoryPreferences": answer}}},
        }
        remember(service.store, entries(message, service.reader, arrived_at=NOW - timedelta(minutes=1)))
    by = {"by this identifier": identifiers[0], "by another identifier": identifiers[1]}.get(who.suppression)
    if by is not None:
        service.kept.put([Document(suppression_key(by), 1, b"1")])


@pytest.fixture(params=["granted", "denied"])
def world(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[World]:
    files = {"offers": [{**OFFER, "name": "gift"}], "rules": RULES, "experiments": EXPERIMENTS}
    for name, content in files.items():
        document = {name: content} | ({"holdout": HOLDOUT} if name == "experiments" else {})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))
        monkeypatch.setattr(f"serving.__main__.{name.upper()}", tmp_path / f"{name}.yaml")
    config = replace(
        config,
        online_store=replace(config.online_store, url=f"lmdb://{tmp_path}/online"),
        consent=replace(config.consent, never_asked=request.param),
    )
    service = make_service(config, clock=lambda: NOW)
    people = everybody()
    for who in people:
        settle(service, who)
    mark_filled(service.store)
    service.visitors.look()
    world = World(service, people)
    for who in people:
        service.sockets.add(world.push_to(who.name), [f"user_id:{who.name}"])
    yield world
    for pending in (service.pending, service.facts):
        pending.close()
        pending.store.close()


def away(*_: object, **__: object) -> None:
    raise StoreError("away")


def put_on_rung(world: World, rung: str, patch: pytest.MonkeyPatch) -> None:
    """The service as it is on that rung."""
    service = world.service
    model = {"cached": None, "rules only": None, "popularity": None}.get(rung, Model())
    patch.setattr(service.recommender, "_value", model)
    patch.setattr(service.recommender, "_looked_at", float("inf"))
    service.last_answers._kept.clear()
    if rung == "cached":
        for who in world.people:
            kept = [Proposal(f"kept-of-{who.name}", 1.0, "m")]
            service.last_answers.keep(f"user_id:{who.name} p-{who.name}", kept, NOW.timestamp())
            service.last_answers.keep(f"user_id:{who.name}", kept, NOW.timestamp())
    for name, store in (("store down", service.store), ("kept store down", service.kept)):
        if rung == name:
            for method in ("read", "get", "latest", "scan"):
                patch.setattr(store, method, away)
    for name, file in (("no rules", service.rules), ("no experiments", service.experiments)):
        if rung == name:
            patch.setattr(file, "_value", None)
            patch.setattr(file, "_looked_at", float("inf"))
    if rung == "under pressure":
        patch.setattr(service.pressure, "at_once", 10_000)


def test_nothing_leaves_against_anybodys_word_and_what_may_leave_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_assumed = world.service.config.consent.assumed
    wrong: list[tuple[str, ...]] = []
    for rung in RUNGS:
        world.left.clear()
        with monkeypatch.context() as patch:
            put_on_rung(world, rung, patch)
            asyncio.run(world.ask())
            world.act()
        for exit_, who in itertools.product(EXITS, world.people):
            expected = may_leave(exit_, rung, who, is_assumed=is_assumed)
            if ((exit_, who.name) in world.left) != expected:
                wrong.append((exit_, rung, *who[1:], "must leave" if expected else "LEAKS"))
    assert wrong == []
