"""Who shops: people of five behaviours, their identifiers and devices, households that share, kiosks, bots.

`people(seed)` is endless; person n is the same whatever the number of events asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from lakehouse.demo.shop.catalogue import CATEGORIES, CHEAP, MIDDLE, PREMIUM
from lakehouse.demo.shop.devices import Device, app, bot, browser


@dataclass(frozen=True)
class ShoppingHabit:
    """How a kind of person acts. Shares are of people; `gap_days` is the mean time between two orders."""

    name: str
    share: float
    gap_days: float
    visits_per_week: float  # that end without an order
    registers: float  # probability of having an account
    coupon: float  # probability that an order carries one
    lines: tuple[int, int]  # fewest and most lines of an order
    tier: int
    store: float  # share of orders made in a store


LOYAL = ShoppingHabit("loyal", 0.11, 13.0, 0.55, 0.97, 0.06, (2, 4), MIDDLE, 0.3)
LAPSING = ShoppingHabit("lapsing", 0.13, 11.0, 0.5, 0.88, 0.12, (1, 3), MIDDLE, 0.2)
BARGAIN = ShoppingHabit("bargain", 0.14, 22.0, 0.6, 0.85, 0.9, (1, 2), CHEAP, 0.08)
ONE_TIME = ShoppingHabit("one_time", 0.25, 0.0, 0.08, 0.35, 0.15, (1, 2), PREMIUM, 0.2)
BROWSER = ShoppingHabit("browser", 0.37, 0.0, 0.17, 0.07, 0.0, (1, 1), MIDDLE, 0.0)
BOT = ShoppingHabit("bot", 0.0, 0.0, 0.0, 0.0, 0.0, (1, 1), MIDDLE, 0.0)
BEHAVIOURS = (LOYAL, LAPSING, BARGAIN, ONE_TIME, BROWSER)

# One person in so many. Rare, because a wrong e-mail or a guest on somebody's tablet cannot be told from its owner.
WRONG_EMAIL_EVERY = 1_200
GUEST_EVERY = 1_100
HOUSEHOLD_EVERY = 40  # two account holders, one tablet; both log in, so the tablet is evidence for neither
_SHARED_PHONE = 0.3  # of households: one landline


@dataclass(slots=True)
class Shopper:
    """One person. `None` identifier: does not have it. `typed_email` is what they enter as a guest."""

    number: int
    behaviour: ShoppingHabit
    first_name: str
    last_name: str
    email: str
    typed_email: str
    phone: str  # E.164
    loyalty_id: str | None
    user_id: str | None
    devices: list[Device]
    shared: Device | None
    favourite: str
    consent: str  # JSON fragment of context, empty = never asked
    first_day: int
    orders: list[tuple[str, int, int]] = field(
        default_factory=list
    )  # (order_id, cents, first line's cents) not refunded

    @property
    def person_id(self) -> str:
        return f"{'b' if self.behaviour is BOT else 'p'}{self.number:06d}"


_FIRST_NAMES = (
    "Ann Ben Cara Dan Eve Finn Grace Hugo Ines Jack Kim Liam Maya Noah Olga Paul Quinn Rosa Sam Tess Uma Vic Wes Zoë"
)
_LAST_NAMES = "Adams Baker Clark Díaz Evans Frank Garcia Hill Ito Jones Klein Lopez Müller Nolan Owens Patel Reed Smith Tran Young"
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
_AREA_CODES = tuple(code for code in range(201, 990) if code % 100 != 11 and code // 10 % 10 != 9)
_ASCII = str.maketrans("ëíü", "eiu")


def people(seed: int) -> Iterator[Shopper]:
    """Every person there is, in order of number."""
    previous = _person(0, seed)
    for number in count(1):
        person = _person(number, seed)
        _tie(person, previous)  # before either is seen
        yield previous
        previous = person


def bots(seed: int) -> Iterator[Shopper]:
    """Every crawler there is: one device, no name, views only."""
    for number in count():
        rng = Random(f"{seed}:bot:{number}")
        yield Shopper(number, BOT, "", "", "", "", "", None, None, [bot(rng)], None, rng.choice(CATEGORIES), "", 0)


def _person(number: int, seed: int) -> Shopper:
    rng = Random(f"{seed}:person:{number}")
    behaviour = _behaviour(number, rng.random())
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    email = f"{first}.{last}{number}@example.{('com', 'org', 'net')[number % 3]}".lower().translate(_ASCII)
    registers = (rng.random() < behaviour.registers or _has_to_register(number)) and not _is_stray(number)
    is_member = registers and rng.random() < (0.35 if behaviour is BROWSER else 0.7)
    devices = [browser(rng)]
    if rng.random() < 0.35:
        devices.append(browser(rng))
    if behaviour is not BROWSER and rng.random() < 0.5:
        devices.append(app(rng))
    return Shopper(
        number=number,
        behaviour=behaviour,
        first_name=first,
        last_name=last,
        email=email,
        typed_email=email,
        phone=f"+1{_AREA_CODES[number // 10_000 % len(_AREA_CODES)]}555{number % 10_000:04d}",
        loyalty_id=f"L{31_000_000 + number * 7}" if is_member else None,
        user_id=f"u{100_000 + number * 3}" if registers else None,
        devices=devices,
        shared=None,
        favourite=rng.choice(CATEGORIES),
        consent=_consent(rng),
        first_day=int(rng.random() * 75) if rng.random() < 0.3 else 0,
    )


def _has_to_register(number: int) -> bool:
    return number % HOUSEHOLD_EVERY < 2 or _is_stray(number + 1)


def _is_stray(number: int) -> bool:
    """Whether the person acts, without an account, under something that is somebody else's."""
    return _types_wrong_email(number) or _is_guest(number)


def _types_wrong_email(number: int) -> bool:
    return number % WRONG_EMAIL_EVERY == 701


def _is_guest(number: int) -> bool:
    return number % GUEST_EVERY == 451


def _behaviour(number: int, luck: float) -> ShoppingHabit:
    if _is_stray(number):
        return ONE_TIME if _types_wrong_email(number) else BROWSER
    for behaviour in BEHAVIOURS:
        if luck < behaviour.share:
            return behaviour
        luck -= behaviour.share
    return BROWSER


def _consent(rng: Random) -> str:
    """What the person answered to the banner: a fragment of context, empty when never asked."""
    luck = rng.random()
    if luck < 0.15:
        return ""
    granted = [luck < limit or luck > 0.97 for limit in (0.9, 0.75, 0.6)]
    pairs = zip(("analytics", "personalization", "marketing"), granted, strict=True)
    return (
        ',"consent":{"categoryPreferences":{' + ",".join(f'"{name}":{str(yes).lower()}' for name, yes in pairs) + "}}"
    )


def _tie(person: Shopper, previous: Shopper) -> None:
    """Make the planned mix-ups: a shared tablet (and landline), a guest on somebody's tablet, a wrong e-mail."""
    number = person.number
    if number % HOUSEHOLD_EVERY == 1:
        rng = Random(number)
        previous.shared = person.shared = app(rng)
        if rng.random() < _SHARED_PHONE:
            person.phone = previous.phone
    elif _is_guest(number):
        previous.shared = app(Random(number))
        person.devices = [previous.shared]
    elif _types_wrong_email(number):
        person.typed_email = previous.email
