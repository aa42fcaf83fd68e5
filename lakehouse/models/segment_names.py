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
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

RECENT_GAPS = 1.0
LAPSING_GAPS = 3.0
LOYAL_ORDERS = 2.0
REPEAT_ORDERS = 1.5  # nearer to two orders than to one


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Means of one segment. `recency_gaps`: days since the last order over the typical gap; scores 1 to 5, 5 = most."""

    recency_gaps: float
    f_score: int
    m_score: int
    frequency: float
    monetary: float


def segment_names(segments: Sequence[Behaviour]) -> tuple[str, ...]:
    """One name per segment, in the order given, no two alike."""
    alike: dict[str, list[int]] = defaultdict(list)
    for position, segment in enumerate(segments):
        alike[_plain_name(segment)].append(position)
    names = [""] * len(segments)
    for name, positions in alike.items():
        by_spend = sorted(positions, key=lambda position: (-segments[position].monetary, position))
        for rank, position in enumerate(by_spend):
            names[position] = _told_apart(name, rank, len(by_spend))
    return tuple(names)


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


def _told_apart(name: str, rank: int, count: int) -> str:
    if count == 1:
        return name
    if count > 3:
        return f"{name}, spend level {rank + 1} of {count}"
    levels = ("higher", "lower") if count == 2 else ("high", "middle", "low")
    return f"{name}, {levels[rank]} spend"
