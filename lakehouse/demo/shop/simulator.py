"""The shop: plans people's visits, renders them in order of time, lets messages arrive late, twice and broken.

Exactly `n_events` records come out: people and bots, a share of exact repeats, and a few of every planted fault.
Memory holds the plan (about 200 bytes a visit) and the messages under way, never the whole stream.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from pathlib import Path
from random import Random

from lakehouse.demo.shop import browsing, orders, visits
from lakehouse.demo.shop.catalogue import build
from lakehouse.demo.shop.clock import DAY_MS, DAYS, HOUR_MS, MINUTE_MS, SECOND_MS, draw_day, draw_instant, instant
from lakehouse.demo.shop.devices import kiosk
from lakehouse.demo.shop.faults import FAULTS, plant
from lakehouse.demo.shop.people import Shopper, bots, people
from lakehouse.demo.shop.stay import Stay, World
from lakehouse.demo.shop.visits import Visit, plan
from lakehouse.demo.truth import Truth, write_truth
from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message

DEFAULT_EVENTS = 100_000
MIN_EVENTS = 100
FAULTS_PER_KIND = 5  # from 2,500 events on; fewer below
ID_CONFLICT = "id_conflict"
_BOTS = 0.02  # share of messages
_REPEATS = 0.01
_SAFE_TO_CONTRADICT = {visits.HOME, visits.VIEW}  # no order hangs on them

_STEPS = {
    visits.HOME: browsing.home,
    visits.SEARCH: browsing.search,
    visits.VIEW: browsing.view,
    visits.ADD: browsing.add,
    visits.REMOVE: browsing.remove,
    visits.LOGIN: browsing.login,
    visits.GUEST: browsing.guest,
    visits.SCAN: browsing.scan,
    visits.ALIAS: browsing.alias,
    visits.GROUP: browsing.group,
    visits.CALL: browsing.call,
    visits.CHECKOUT: orders.checkout,
    visits.COUPON: orders.coupon,
    visits.ORDER: orders.order,
    visits.ECHO: orders.echo,
    visits.STORE_LOYALTY: orders.store_order_by_card,
    visits.STORE_EMAIL: orders.store_order_by_email,
    visits.STORE_PHONE: orders.store_order_by_phone,
    visits.REFUND: orders.refund,
}


@dataclass(frozen=True)
class Quota:
    """How many records of each sort add up to the number asked for."""

    people: int
    bots: int
    repeats: int
    faults_per_kind: int

    @classmethod
    def of(cls, n_events: int) -> "Quota":
        per_kind = min(FAULTS_PER_KIND, n_events // 500)
        repeats, crawled = round(n_events * _REPEATS), round(n_events * _BOTS)
        return cls(n_events - repeats - crawled - per_kind * (len(FAULTS) + 1), crawled, repeats, per_kind)


class Shop:
    """A simulated retailer. `truth` is complete once `messages` is exhausted.

    Raises:
        SourceError: for fewer than MIN_EVENTS events.
    """

    def __init__(self, n_events: int = DEFAULT_EVENTS, seed: int = 7) -> None:
        if n_events < MIN_EVENTS:
            raise SourceError(
                f"shop: too few events, got {n_events}, expected at least {MIN_EVENTS}. Ask for more with --events"
            )
        self.n_events = n_events
        self.seed = seed
        self.truth = Truth(seed=seed)

    def messages(self) -> Iterator[Message]:
        """All records in order of arrival. Every call starts over, with a new truth."""
        self.truth = Truth(seed=self.seed)
        quota = Quota.of(self.n_events)
        rng = Random(f"{self.seed}:stream")
        stream = _Stream(rng, self.truth, quota)
        world = World(rng, build(self.seed), self.truth, stream.take, [0])
        schedule = sorted(
            chain(_people(self.seed, quota.people), _bots(self.seed, quota.bots)), key=attrgetter("start")
        )
        for visit in schedule:
            yield from stream.arrived(visit.start)
            self.truth.behaviours.setdefault(visit.person.person_id, visit.person.behaviour.name)
            stay = Stay(world, visit)
            for step in visit.steps:
                stream.may_contradict = step in _SAFE_TO_CONTRADICT
                _STEPS[step](stay)
                stay.at += 3 * SECOND_MS + int(rng.random() * 75 * SECOND_MS)
        yield from stream.arrived(None)

    def write_truth(self, path: str | Path) -> None:
        """Write the truth into a folder.

        Raises:
            SourceError: before `messages` is exhausted.
        """
        if self.truth.produced != self.n_events:
            raise SourceError(
                f"shop: truth not complete, got {self.truth.produced} messages so far, expected {self.n_events}. "
                "Take all messages first"
            )
        write_truth(self.truth, path)


def messages(n_events: int | None, seed: int) -> Iterator[Message]:
    """Messages in order of arrival; the default number of events when null."""
    return Shop(DEFAULT_EVENTS if n_events is None else n_events, seed).messages()


class _Stream:
    """Messages under way, by time of arrival. Repeats some, contradicts a few."""

    def __init__(self, rng: Random, truth: Truth, quota: Quota) -> None:
        self.rng = rng
        self.truth = truth
        self.may_contradict = False
        self._under_way: list[tuple[int, int, bytes | None, bytes | None]] = []
        self._sent = self._pushed = 0
        total = quota.people + quota.bots
        chooser = Random(f"{truth.seed}:repeats")
        self._repeated = set(chooser.sample(range(total), quota.repeats))
        # The last tenth is left out: a contradiction waits for the next message that nothing hangs on.
        self._contradicted = sorted(chooser.sample(range(total * 9 // 10), quota.faults_per_kind), reverse=True)
        for planted in plant(Random(f"{truth.seed}:faults"), truth, quota.faults_per_kind):
            self._push(*planted)

    def take(self, received_ms: int, key: bytes, value: bytes, message_id: str) -> None:
        """A message was sent, to arrive at `received_ms`."""
        number = self._sent
        self._sent += 1
        self._push(received_ms, key, value)
        if number in self._repeated:
            self._push(received_ms + self._repeat_after(), key, value)
            self.truth.duplicates += 1
        elif self._contradicted and self.may_contradict and number >= self._contradicted[-1]:
            self._contradicted.pop()
            self._push(received_ms + MINUTE_MS, key, value[:-2] + b',"revised":true}}')
            self.truth.add_fault(ID_CONFLICT, ID_CONFLICT, message_id)

    def arrived(self, before_ms: int | None) -> Iterator[Message]:
        """What arrives up to then; everything left when null."""
        heap = self._under_way
        while heap and (before_ms is None or heap[0][0] <= before_ms):
            received_ms, _, key, value = heapq.heappop(heap)
            self.truth.produced += 1
            yield Message(key, value, instant(received_ms))

    def _push(self, received_ms: int, key: bytes | None, value: bytes | None) -> None:
        self._pushed += 1
        heapq.heappush(self._under_way, (received_ms, self._pushed, key, value))

    def _repeat_after(self) -> int:
        """Milliseconds until an SDK's retry: mostly within a minute, some hours, few days; within six days."""
        luck = self.rng.random()
        if luck < 0.8:
            return 200 + int(self.rng.random() * MINUTE_MS)
        return int(self.rng.random() * (12 * HOUR_MS if luck < 0.95 else 6 * DAY_MS))


def _people(seed: int, n_messages: int) -> Iterator[Visit]:
    """Visits of the first people, exactly `n_messages` steps; the last person's plan is cut at its end."""
    kiosks = tuple(kiosk(Random(f"{seed}:kiosk:{number}"), number) for number in range(2))
    return _cut(
        ((person, plan(person, Random(f"{seed}:plan:{person.number}"), kiosks)) for person in people(seed)), n_messages
    )


def _bots(seed: int, n_messages: int) -> Iterator[Visit]:
    return _cut(((bot, [_crawl(bot, Random(f"{seed}:crawl:{bot.number}"))]) for bot in bots(seed)), n_messages)


def _crawl(bot: Shopper, rng: Random) -> Visit:
    steps = visits.HOME + visits.VIEW * (5 + int(rng.random() * 40))
    device = bot.devices[0]
    return Visit(draw_instant(rng, draw_day(rng, 0, DAYS - 1)), bot, device, device.anonymous_id, False, steps, 0)


def _cut(plans: Iterator[tuple[Shopper, list[Visit]]], n_messages: int) -> Iterator[Visit]:
    left = n_messages
    for _, planned in plans:
        for visit in planned:
            if left == 0:
                return
            steps = visit.steps[:left]
            left -= len(steps)
            yield visit._replace(steps=steps)
