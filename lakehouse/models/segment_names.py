"""Names of segments, in words, from what their profiles do on average. Pure and deterministic.

    how lately   days since the last order, against the typical gap between two orders of one profile:
                 up to 1 gap: recent    up to 3: lapsing    beyond: lost
    what kind    f_score 5 and two orders or more: loyal customers
                 else m_score 5: big spenders
                 else 1.5 orders or more: repeat buyers
                 else one-time buyers

f_score and m_score are those of a profile with the segment's mean orders and mean net revenue. Recent loyal customers
with m_score 5 are champions, other recent loyal customers just that, loyal. Segments that come out with one name are
told apart by what they spend, most first.

Of prospects, who have not ordered:

    how lately   days since the last event; up to 7: recent    up to 30: lapsing    beyond: lost
    what kind    half a cart or more: cart abandoners
                 else five looks at products or more: keen browsers
                 else half a look or more: browsers
                 else passers-by

They are told apart by looks.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

RECENT_GAPS = 1.0
LAPSING_GAPS = 3.0
LOYAL_ORDERS = 2.0
REPEAT_ORDERS = 1.5  # nearer to two orders than to one
RECENT_DAYS = 7.0
LAPSING_DAYS = 30.0
CARTS = 0.5  # nearer to one than to none
VIEWS = 0.5
KEEN_VIEWS = 5.0


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Means of one segment. `recency_gaps`: days since the last order over the typical gap; scores 1 to 5, 5 = most."""

    recency_gaps: float
    f_score: int
    m_score: int
    frequency: float
    monetary: float


@dataclass(frozen=True, kw_only=True)
class ProspectBehaviour:
    """Means of one segment of prospects: days since the last event, products looked at, and put into a cart."""

    days: float
    views: float
    carts: float


def segment_names(segments: Sequence[Behaviour]) -> tuple[str, ...]:
    """One name per segment, in the order given, no two alike."""
    return _all_apart([_plain_name(one) for one in segments], [one.monetary for one in segments], "spend")


def prospect_names(segments: Sequence[ProspectBehaviour]) -> tuple[str, ...]:
    """The same of prospects."""
    return _all_apart([_prospect_name(one) for one in segments], [one.views for one in segments], "looks")


def _all_apart(plain: Sequence[str], amounts: Sequence[float], of_what: str) -> tuple[str, ...]:
    alike: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(plain):
        alike[name].append(position)
    names = [""] * len(plain)
    for name, positions in alike.items():
        by_amount = sorted(positions, key=lambda position: (-amounts[position], position))
        for rank, position in enumerate(by_amount):
            names[position] = _told_apart(name, rank, len(by_amount), of_what)
    return tuple(names)


def _prospect_name(segment: ProspectBehaviour) -> str:
    when = "recent" if segment.days <= RECENT_DAYS else "lapsing" if segment.days <= LAPSING_DAYS else "lost"
    if segment.carts >= CARTS:
        return f"{when} cart abandoners"
    if segment.views >= KEEN_VIEWS:
        return f"{when} keen browsers"
    return f"{when} browsers" if segment.views >= VIEWS else f"{when} passers-by"


def _plain_name(segment: Behaviour) -> str:
    gaps = segment.recency_gaps
    when = "recent" if gaps <= RECENT_GAPS else "lapsing" if gaps <= LAPSING_GAPS else "lost"
    if segment.f_score == 5 and segment.frequency >= LOYAL_ORDERS:
        if when != "recent":
            return f"{when} loyal customers"
        return "champions" if segment.m_score == 5 else "loyal customers"
    if segment.m_score == 5:
        return f"{when} big spenders"
    return f"{when} {'repeat' if segment.frequency >= REPEAT_ORDERS else 'one-time'} buyers"


def _told_apart(name: str, rank: int, count: int, of_what: str) -> str:
    if count == 1:
        return name
    if count > 3:
        return f"{name}, {of_what} level {rank + 1} of {count}"
    levels = ("higher", "lower") if count == 2 else ("high", "middle", "low")
    return f"{name}, {levels[rank]} {of_what}"
