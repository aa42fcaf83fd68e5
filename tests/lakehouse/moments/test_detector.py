"""Moments at work on a real store, with a controlled clock: restarts, crashes, replays, merged and shared visitors."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.config import load
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.moments.detector import MomentDetector
from lakehouse.moments.state import Fact
from lakehouse.moments.state_store import StateStore
from lakehouse.moments.transitions import Moment
from lakehouse.online.lmdb_store import LmdbStore
from lakehouse.online.store import Document
from tests.lakehouse.moments.test_transitions import CART, ENGAGED, FIRST, MINUTE, T0, declared
from tests.online_people import person, put

CONFIG = load("dev", environ={})
ANA: Identifier = ("anonymous_id", "ana")
PHONE: Identifier = ("anonymous_id", "phone")
USER: Identifier = ("user_id", "u1")
NOW = datetime.fromtimestamp(T0 / 1000, UTC)


class World:
    """A store that survives, an online store, a clock, and what was handed on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.minute = 0.0
        self.emitted: list[Moment] = []
        self.breaks_after_emit = False
        self.online = LmdbStore(folder / "online")
        self.definitions = declared(CART)
        self.start()

    def start(self) -> None:
        self.kept = LmdbStore(self.folder / "kept", survives=True)
        self.moments = MomentDetector(
            visitors=StateStore(self.kept, shards=2),
            profiles=self.online,
            identity=CONFIG.identity,
            now_ms=lambda: T0 + int(self.minute * MINUTE),
            emit=self.emit,
        )

    def restart(self) -> None:
        self.kept.close()
        self.start()

    def emit(self, moment: Moment) -> None:
        self.emitted.append(moment)
        if self.breaks_after_emit:
            raise StoreError("the process died here")

    def at(self, minute: float) -> int:
        self.minute = minute
        return self.moments.tick(self.definitions)

    def take(self, minute: float, event: str, *who: Identifier, item: str = "p1") -> None:
        at_ms = T0 + int(minute * MINUTE)
        fact = Fact(at_ms=at_ms, id=f"{event}-{minute}-{who}", event=event, item=item, who=who or (ANA,))
        self.moments.take([fact], self.definitions)

    def merge(self, *identifiers: Identifier, frequency: int = 0, last_order: datetime | None = None) -> None:
        put(self.online, person("x", identifiers, frequency=frequency, last_order_at=last_order))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.kept.close()
    world.online.close()


def test_a_timer_fires_once_whatever_is_restarted_or_replayed(world: World) -> None:
    for _ in range(2):
        world.take(0, "Product Added")
        world.restart()
    assert world.at(59) == 0
    world.restart()
    assert world.at(60) == 1
    world.restart()
    world.take(0, "Product Added")
    assert world.at(61) + world.at(600) == 0
    assert len(world.emitted) == 1


def test_a_later_event_moves_the_time_and_the_old_timer_only_looks(world: World) -> None:
    world.take(0, "Product Added")
    world.take(30, "Product Added", item="p2")
    assert world.at(60) == 0
    assert world.at(89.9) == 0
    assert world.at(90) == 1
    assert world.emitted[0].items == ("p2", "p1")


def test_a_crash_after_handing_on_hands_on_the_same_decision_again(world: World) -> None:
    world.take(0, "Product Added")
    world.breaks_after_emit = True
    with pytest.raises(StoreError):
        world.at(60)
    world.breaks_after_emit = False
    world.restart()
    assert world.at(61) == 1
    first, second = world.emitted
    assert first.decision_id == second.decision_id


def test_an_order_under_another_identifier_of_the_profile_ends_it(world: World) -> None:
    world.take(0, "Product Added", ANA)
    world.take(20, "Order Completed", USER)
    world.merge(ANA, USER)  # only after both events
    assert world.at(60) == 0
    assert world.emitted == []


def test_an_order_that_only_the_profile_knows_of_ends_it(world: World) -> None:
    world.take(0, "Product Added", ANA)
    world.merge(ANA, last_order=datetime.fromtimestamp(T0 / 1000 + 600, UTC))
    assert world.at(60) == 0


def test_without_the_profile_the_other_identifiers_of_the_events_count(world: World) -> None:
    world.take(0, "Product Added", ANA)
    world.take(10, "Order Completed", USER, ANA)  # logged in to pay; the events query is behind
    assert world.at(60) == 0


def test_one_person_on_two_devices_hears_once(world: World) -> None:
    world.take(0, "Product Added", ANA, item="p1")
    world.take(10, "Product Added", PHONE, item="p2")
    world.merge(ANA, PHONE)
    assert world.at(60) == 0  # of the person the last change was ten minutes later
    assert world.at(70) == 1
    assert world.at(71) + world.at(500) == 0
    assert world.emitted[0].items == ("p2", "p1")


def test_others_on_the_same_device_neither_end_it_nor_add_to_it(world: World) -> None:
    mother, son = ("user_id", "mother"), ("user_id", "son")
    world.take(0, "Product Added", mother, ANA, item="book")
    world.take(5, "Product Added", son, ANA, item="game")
    world.take(6, "Order Completed", son, ANA)
    assert world.at(66) == 1
    assert world.emitted[0].items == ("book",)


def test_the_first_purchase_is_the_first_only_as_far_as_the_profile_agrees(world: World) -> None:
    world.definitions = declared(FIRST)
    world.take(0, "Order Completed", ANA, item="o1")
    world.merge(ANA, frequency=4, last_order=NOW)
    assert world.at(7 * 24 * 60) == 0


def test_the_clock_may_jump_ahead_and_back(world: World) -> None:
    world.take(0, "Product Added")
    assert world.at(60 * 24 * 365) == 0  # far too late to say so
    world.take(60 * 24 * 365, "Product Added", item="p2")
    assert world.at(0) == 0  # set back: nothing is due before its time
    world.take(1, "Product Added", item="p3")
    assert world.at(60 * 24 * 365 + 60) == 1


def test_a_late_event_of_before_the_moment_ends_it(world: World) -> None:
    world.take(0, "Product Added")
    world.minute = 59
    world.take(10, "Order Completed", item="o1")  # came 49 minutes late
    assert world.at(60) == 0


def test_a_visitor_is_forgotten_at_the_end_and_may_come_back(world: World) -> None:
    world.definitions = declared(ENGAGED)
    world.take(0, "Product Viewed", USER, ANA)
    over = (world.definitions.keep_ms + 1) / MINUTE
    world.at(over)
    assert world.kept.get(["m:anonymous_id:ana", "m:user_id:u1"]) == [None, None]
    assert [world.kept.until(f"timers:{n}", 2**52, 10) for n in range(2)] == [[], []]
    for n in range(3):
        world.take(over + n, "Product Viewed", ANA)
    assert world.at(over + 2) == 1


def test_a_document_that_cannot_be_read_is_begun_anew(world: World) -> None:
    world.kept.put([Document("m:anonymous_id:ana", 1, b"\x00")])
    world.take(0, "Product Added")
    assert world.at(60) == 1


def test_two_processes_writing_one_visitor_lose_nothing(world: World) -> None:
    other = dataclasses.replace(world.moments, visitors=StateStore(world.kept, shards=2))
    real_put, interfering = world.kept.put, [True]

    def put(documents):  # type: ignore[no-untyped-def]
        if interfering.pop() if interfering else False:
            at_ms = T0 + 5 * MINUTE
            other.take(
                [Fact(at_ms=at_ms, id="theirs", event="Product Added", item="p9", who=(ANA,))], world.definitions
            )
        return real_put(documents)

    world.kept.put = put  # type: ignore[method-assign]
    world.take(0, "Product Added")
    assert world.at(65) == 1
    assert world.emitted[0].items == ("p9", "p1")
