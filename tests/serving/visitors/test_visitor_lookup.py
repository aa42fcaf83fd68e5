"""Visitors read together, by a guess of what they were: as the store is now, in few exchanges."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.actions.recipient_zones import zone_key
from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.experiment_unit import Units
from lakehouse.decisions.visitor import Visitor, suppression_key
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_store
from lakehouse.online.online_profile import PROFILE, identifier_key
from lakehouse.online.recent_behaviour import of_visitor, recent_behaviour
from lakehouse.online.recent_entries import key_of
from lakehouse.online.store import Document, Entry, OnlineStore
from serving.visitors.pending import Pending
from serving.visitors.visitor_lookup import VisitorLookup, VisitorQuery
from tests.online_people import person, put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT_MS = int(NOW.timestamp() * 1000) - 1000
PEOPLE: list[Identifier] = [("user_id", "u1"), ("user_id", "u2"), ("anonymous_id", "a1"), ("anonymous_id", "a2")]
PATIENCE = 30
_number = itertools.count()


class Counted:
    """A store that counts its exchanges, and may do something after it has read and before it tells."""

    def __init__(self, store: OnlineStore) -> None:
        self._store = store
        self.reads = 0
        self.meanwhile: Any = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(self, *asked: Any) -> Any:
        self.reads += 1
        found = self._store.read(*asked)
        self.meanwhile()
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Counted]:
    opened = open_store(f"lmdb://{tmp_path}/online")
    yield Counted(opened)
    opened.close()


def view(product: str, n: int = 0) -> Entry:
    return Entry(AT_MS, f"m-{product}:view:{n}", orjson.dumps({"kind": "view", "product_id": product}))


def finder_of(pending: Pending) -> VisitorLookup:
    """On a store that is both cache and kept."""
    return VisitorLookup(pending, pending)


def found_by(finder: VisitorLookup, *identifiers: Identifier) -> Sequence[Visitor | StoreError]:
    return finder.find([VisitorQuery(one, NOW) for one in identifiers])


def one_by(finder: VisitorLookup, identifier: Identifier) -> Visitor:
    (found,) = found_by(finder, identifier)
    assert isinstance(found, Visitor)
    return found


def test_somebody_known_costs_one_exchange_however_many_ask(store: Counted) -> None:
    for n in range(3):
        put(store, person(f"p{n}", [("user_id", f"u{n}"), ("anonymous_id", f"a{n}")]))  # type: ignore[arg-type]
    finder = finder_of(Pending(store, keep=10))  # type: ignore[arg-type]
    everybody: list[Identifier] = [("user_id", "u0"), ("anonymous_id", "a1"), ("user_id", "u2"), ("user_id", "new")]
    for reads in (3, 1):
        store.reads = 0
        found = found_by(finder, *everybody)
        assert [one.profile and one.profile.profile_id for one in found if isinstance(one, Visitor)] == [
            *("p0", "p1", "p2", None)
        ]
        assert store.reads == reads


def test_a_guess_that_is_wrong_is_never_the_answer(store: Counted) -> None:
    ana, old, new = ("user_id", "ana"), ("anonymous_id", "old"), ("anonymous_id", "new")
    put(store, person("p1", [ana, old]))  # type: ignore[arg-type]
    finder = finder_of(Pending(store, keep=10))  # type: ignore[arg-type]
    assert one_by(finder, ana).profile == person("p1", [ana, old])
    store.append({key_of("r", new): [view("kit")]}, keep=10)
    put(store, person("p1", [ana, new], version=2))  # type: ignore[arg-type]
    seen = one_by(finder, ana)
    assert (seen.profile, seen.recent.viewed_1h) == (person("p1", [ana, new], version=2), ("kit",))
    put(store, person("p2", [ana], version=3))  # type: ignore[arg-type]
    seen = one_by(finder, ana)
    assert (seen.profile, seen.recent.viewed_1h) == (person("p2", [ana], version=3), ())
    store.put([Document(identifier_key(ana), 4, None)])
    assert one_by(finder, ana).profile is None


def test_the_zone_is_the_latest_word_of_any_identifier_of_the_person(store: Counted) -> None:
    ana, cookie, bo = ("user_id", "ana"), ("anonymous_id", "c"), ("user_id", "bo")
    put(store, person("p1", [ana, cookie]))  # type: ignore[arg-type]
    told = {ana: [1, "Europe/Berlin"], cookie: [2, "Asia/Tokyo"], bo: [3, "Mars/Olympus"]}
    store.put(Document(zone_key(one), said[0], orjson.dumps(said)) for one, said in told.items())
    finder = finder_of(Pending(store, keep=10))  # type: ignore[arg-type]
    assert (one_by(finder, ana).zone, one_by(finder, bo).zone) == ("Asia/Tokyo", None)
    assert one_by(finder, ("user_id", "nobody")).zone is None


def test_a_document_that_cannot_be_read_is_one_visitors_fault(store: Counted) -> None:
    bad, worse, good = ("user_id", "bad"), ("user_id", "worse"), ("user_id", "good")
    for n, one in enumerate((bad, worse, good)):
        put(store, person(f"p{n}", [one]))  # type: ignore[arg-type]
    store.put([Document(PROFILE + "p0", 2, b"{"), Document(identifier_key(worse), 2, b"[")])
    found = found_by(finder_of(Pending(store, keep=10)), bad, worse, good)  # type: ignore[arg-type]
    assert [type(one) for one in found] == [StoreError, StoreError, Visitor]


def test_what_came_along_under_another_name_has_a_say_too(store: Counted) -> None:
    ana, cookie, both = ("user_id", "ana"), ("anonymous_id", "c"), ("anonymous_id", "d")
    yes = {"consent_marketing": True, "consent_personalization": True}
    put(store, person("p1", [ana, both], **yes))  # type: ignore[arg-type]
    put(store, person("p2", [cookie], consent_marketing=False, is_suppressed=None))  # type: ignore[arg-type]
    finder = finder_of(Pending(store, keep=10))  # type: ignore[arg-type]

    def asked(*others: Identifier) -> Visitor:
        (found,) = finder.find([VisitorQuery(ana, NOW, others)])
        assert isinstance(found, Visitor)
        return found

    allowed = {"analytics": False, "marketing": True, "personalization": True}
    assert asked().consent(Defaults(never_asked=False)) == asked(both).consent(Defaults(never_asked=False)) == allowed
    with_cookie = asked(ana, cookie)
    assert with_cookie.consent(Defaults(never_asked=False)) == allowed | {"marketing": False}
    assert (with_cookie.profile, with_cookie.also) == (
        asked().profile,
        (person("p2", [cookie], consent_marketing=False),),
    )
    assert not with_cookie.is_suppressed
    put(store, person("p2", [cookie], version=2, is_suppressed=True))  # type: ignore[arg-type]
    assert asked(cookie).is_suppressed
    assert not asked(both).is_suppressed
    letters = ("email", "e")
    put(store, person("p2", [cookie, letters], version=3))  # type: ignore[arg-type]
    assert not asked(cookie).is_suppressed
    store.put([Document(suppression_key(letters), 1, b"1")])  # told just now: the lake does not know yet
    assert asked(cookie).is_suppressed
    assert not asked(both).is_suppressed
    store.put([Document(PROFILE + "p2", 4, b"{")])
    assert isinstance(finder.find([VisitorQuery(ana, NOW, (cookie,))])[0], StoreError)


def test_what_is_written_while_it_is_read_is_not_missed(store: Counted) -> None:
    """It waited when the question began, and waits no more when the store's answer, without it, comes."""
    ana = ("user_id", "ana")
    pending = Pending(store, keep=10)  # type: ignore[arg-type]
    store.meanwhile = lambda: wait_until(lambda: not (pending.timelines([key]) or pending.documents([left])), PATIENCE)
    key, left = key_of("r", ana), suppression_key(ana)
    pending.append([(key, view("kit"))])
    pending.put([Document(left, 1, b"1")])
    seen = one_by(finder_of(pending), ana)
    assert (seen.recent.viewed_1h, seen.is_suppressed) == (("kit",), True)
    pending.close()


STEPS = st.one_of(
    st.tuples(st.just("profile"), st.sampled_from("xyz"), st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4)),
    st.tuples(st.just("view"), st.sampled_from(PEOPLE), st.sampled_from("klm")),
    st.tuples(st.just("suppress"), st.sampled_from(PEOPLE), st.booleans()),
    st.tuples(st.just("ask"), st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4), st.none()),
)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, max_size=25))
def test_every_answer_is_of_the_store_as_it_is(store: Counted, steps: list[tuple[str, Any, Any]]) -> None:
    """An oracle of plain dictionaries, each visitor by itself."""
    run = f"{next(_number)}-"
    unwritten = Pending(store, keep=50)  # type: ignore[arg-type]
    finder = finder_of(unwritten)
    owner: dict[Identifier, str] = {}
    profiles: dict[str, Any] = {}
    views: dict[Identifier, list[Entry]] = {}
    suppressed: set[Identifier] = set()

    def named(one: Identifier) -> Identifier:
        return one[0], run + one[1]

    for version, (kind, first, second) in enumerate(steps, 1):
        if kind == "profile":
            members = [named(one) for one in second]
            profile = profiles[first] = person(run + first, members, version=version)
            put(store, profile)  # type: ignore[arg-type]
            owner |= dict.fromkeys(members, first)
        elif kind == "view":
            one, entry = named(first), view(second, version)
            views.setdefault(one, []).append(entry)
            if version % 2:
                unwritten.append([(key_of("r", one), entry)])
            else:
                store.append({key_of("r", one): [entry]}, keep=50)
        elif kind == "suppress":
            (suppressed.add if second else suppressed.discard)(named(first))
            store.put([Document(suppression_key(named(first)), version, b"1" if second else None)])
        else:
            asked = [named(one) for one in first]
            for one, found in zip(asked, found_by(finder, *asked), strict=True):
                profile = profiles.get(owner.get(one, ""))
                everybody = list(dict.fromkeys([one, *(profile.identifiers if profile else ())]))
                entries = [entry for other in everybody for entry in views.get(other, ())]
                assert isinstance(found, Visitor)
                assert replace(found, units=Units()) == Visitor(
                    identifier=one,
                    profile=profile,
                    recent=recent_behaviour(of_visitor(entries, everybody), NOW),
                    is_suppressed=not suppressed.isdisjoint(everybody),
                )
    unwritten.close()
