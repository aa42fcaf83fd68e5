"""What a person does, planned: their visits over the calendar, each a start and a row of steps, one event per step.

A plan depends on the person and the seed alone. Rendering (`render.py`) fills in products, ids and times.
"""

import math
from random import Random
from typing import NamedTuple

from lakehouse.demo.shop.clock import DAY_MS, DAYS, END_MS, HOUR_MS, MINUTE_MS, draw_day, draw_instant
from lakehouse.demo.shop.devices import OFFLINE, Device, uuid
from lakehouse.demo.shop.people import BARGAIN, BROWSER, LAPSING, LOYAL, ONE_TIME, Shopper

# Steps, one letter each: a visit's steps are one string.
HOME, SEARCH, VIEW, ADD, REMOVE, CHECKOUT, COUPON = "h", "s", "v", "a", "r", "k", "c"
LOGIN, GUEST, ALIAS, GROUP, ORDER, ECHO, REFUND, CALL = "i", "g", "l", "m", "o", "e", "f", "t"
STORE_LOYALTY, STORE_EMAIL, STORE_PHONE, SCAN = "x", "y", "z", "q"

_REFUNDED, _CALLS, _ECHOED = 0.06, 0.05, 0.03  # shares of orders
_STAYS_LOGGED_IN, _LOGS_IN, _NEW_COOKIE = 0.88, 0.35, 0.04  # per visit


class Visit(NamedTuple):
    """One stay. `device` null: a store's till, a call or the server. `late_ms`: how long its events wait to be sent."""

    start: int
    person: Shopper
    device: Device | None
    anonymous_id: str | None
    is_known: bool  # logged in when it starts
    steps: str
    late_ms: int


def plan(person: Shopper, rng: Random, kiosks: tuple[Device, ...]) -> list[Visit]:
    """Every visit of the person, in order of start; at least one."""
    intents = sorted(_intents(person, rng))
    cookies = {id(device): device.anonymous_id for device in person.devices}
    known: set[int] = set()
    return [_visit(person, rng, kiosks, start, intent, cookies, known) for start, intent in intents]


def order_days(person: Shopper, rng: Random) -> list[int]:
    """Days on which the person buys."""
    kind = person.behaviour
    if kind is BROWSER:
        return []
    if kind is ONE_TIME:
        return [draw_day(rng, 0, DAYS - 1) for _ in range(2 if rng.random() < 0.07 else 1)]
    gap = kind.gap_days * (0.6 + 0.9 * rng.random())
    last = 25 + rng.random() * 60 if kind is LAPSING else DAYS - 1.0
    days, at = [], person.first_day * (0.3 if kind is LAPSING else 1.0) + rng.random() * gap
    while at < last:
        near = int(at)
        days.append(draw_day(rng, max(near - 2, 0), min(near + 2, DAYS - 1)))
        at += gap * (0.5 + rng.random())
    if kind is LAPSING and rng.random() < 0.12:
        days.append(draw_day(rng, int(last), DAYS - 1))  # won back
    return days


def _intents(person: Shopper, rng: Random) -> list[tuple[int, str]]:
    kind = person.behaviour
    found: list[tuple[int, str]] = []
    days = order_days(person, rng)
    for day in days:
        at = draw_instant(rng, day)
        in_store = rng.random() < kind.store
        found.append((at, "store" if in_store else "order"))
        if in_store and rng.random() < 0.08:
            found.append((at - 20 * MINUTE_MS, "kiosk"))
        found += [
            (later, what)
            for what, share in (("refund", _REFUNDED), ("call", _CALLS))
            if rng.random() < share and (later := at + DAY_MS + int(rng.random() * 14 * DAY_MS)) < END_MS - 2 * HOUR_MS
        ]
        if day and rng.random() < 0.4:
            found.append((draw_instant(rng, max(day - 1 - int(rng.random() * 3), 0)), "browse"))
    last = min((days[-1] if days else 0) + 20, DAYS - 1) if kind is LAPSING else DAYS - 1
    for _ in range(_poisson(rng, kind.visits_per_week * (last - person.first_day) / 7)):
        found.append((draw_instant(rng, draw_day(rng, min(person.first_day, last), last)), "browse"))
    if kind is BROWSER and rng.random() < 0.03:
        found.append((draw_instant(rng, draw_day(rng, 0, DAYS - 1)), "kiosk"))
    return found or [(draw_instant(rng, draw_day(rng, 0, DAYS - 1)), "browse")]


def _poisson(rng: Random, mean: float) -> int:
    """Knuth, The Art of Computer Programming 2, 3.4.1; means here stay under 20."""
    limit, product, n = math.exp(-max(mean, 0.0)), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n


def _visit(
    person: Shopper,
    rng: Random,
    kiosks: tuple[Device, ...],
    start: int,
    intent: str,
    cookies: dict[int, str],
    known: set[int],
) -> Visit:
    if intent in ("store", "call", "refund"):
        steps = {"store": _till(person, rng), "call": CALL, "refund": REFUND}[intent]
        late = int(rng.random() * (48 if rng.random() < 0.03 else 14) * HOUR_MS) if intent == "store" else 0
        return Visit(start, person, None, None, False, steps, late)
    if intent == "kiosk":
        steps = HOME + (SCAN if person.loyalty_id else "") + VIEW * (1 + int(rng.random() * 3))
        return Visit(start, person, kiosks[int(rng.random() * len(kiosks))], uuid(rng), False, steps, 0)
    device = _device(person, rng)
    if device.channel == "web" and rng.random() < _NEW_COOKIE:
        cookies[id(device)] = uuid(rng)
        known.discard(id(device))
    if rng.random() > _STAYS_LOGGED_IN:
        known.discard(id(device))
    is_known = id(device) in known
    logs_in = person.user_id is not None and not is_known and (device is person.shared or rng.random() < _LOGS_IN)
    steps = HOME + (_login(person, rng, not known) if logs_in else "")
    steps += _buying(person, rng, is_known or logs_in, not known) if intent == "order" else _looking(rng)
    if LOGIN in steps:
        known.add(id(device))
    is_offline = device.channel == "mobile" and rng.random() < OFFLINE
    late = HOUR_MS + int(rng.random() * (5 * DAY_MS - 3 * HOUR_MS)) if is_offline else 0
    return Visit(start, person, device, cookies.get(id(device), device.anonymous_id), is_known, steps, late)


def _device(person: Shopper, rng: Random) -> Device:
    if person.shared is not None and rng.random() < 0.3:
        return person.shared
    luck = rng.random()  # the first device is used most
    return person.devices[0 if luck < 0.55 else int(rng.random() * len(person.devices))]


def _till(person: Shopper, rng: Random) -> str:
    if person.loyalty_id and rng.random() < 0.8:
        return STORE_LOYALTY
    return STORE_EMAIL if rng.random() < 0.6 else STORE_PHONE


def _login(person: Shopper, rng: Random, is_first: bool) -> str:
    extra = (ALIAS if rng.random() < 0.15 else "") + (GROUP if rng.random() < 0.15 else "")
    return LOGIN + (extra if is_first else "")


def _looking(rng: Random) -> str:
    steps = (SEARCH if rng.random() < 0.3 else "") + VIEW * (1 + int(rng.expovariate(0.8)))
    if rng.random() < 0.25:
        steps += ADD + (REMOVE if rng.random() < 0.3 else "")
        steps += CHECKOUT if rng.random() < 0.2 else ""
    return steps


def _buying(person: Shopper, rng: Random, is_known: bool, is_first: bool) -> str:
    kind = person.behaviour
    fewest, most = kind.lines
    lines = fewest + int(rng.random() * (most - fewest + 1))
    steps = (SEARCH if rng.random() < 0.3 else "") + (VIEW + ADD) * lines
    steps += VIEW + ADD + REMOVE if rng.random() < 0.08 else ""
    steps += CHECKOUT + (COUPON if rng.random() < kind.coupon else "")
    if not is_known:
        steps += _login(person, rng, is_first) if person.user_id else GUEST
    return steps + ORDER + (ECHO if person.user_id and rng.random() < _ECHOED else "")


__all__ = ["BARGAIN", "LOYAL", "Visit", "order_days", "plan"]
