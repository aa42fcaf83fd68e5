"""That somebody was shown something, and how often is too often: the one place for caps, whoever shows it. Pure.

An exposure is an entry `<decision_id>:exposure:<subject>` on a visitor's timeline `x:<type>:<token>`; a subject is an offer,
or the rule that brought it. One decision is one exposure, through however many channels it goes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from lakehouse.config.declarations import Caps
from lakehouse.decisions.offers import Offer
from lakehouse.online.store import Entry
from lakehouse.rules.book import Rule

DAY, WEEK = timedelta(days=1), timedelta(days=7)
Shown = Mapping[str, Sequence[datetime]]
"""Subject -> when it was shown to the person."""


def entries(decision_id: str, offer: str | None, rule: str | None, at_ms: int) -> list[Entry]:
    """What is written down of one exposure, as lakehouse/online/recent_behaviour.py reads it; the same again changes nothing."""
    subjects = [name for name in (offer, None if rule is None else _of_rule(rule)) if name is not None]
    return [
        Entry(at_ms, f"{decision_id}:exposure:{name}", orjson.dumps({"kind": "exposure", "offer": name}))
        for name in subjects
    ]


def of_others(entries: Iterable[Entry], decision_id: str) -> list[Entry]:
    """Without the exposures of this decision: said twice, it is still said once."""
    own = f"{decision_id}:exposure:"
    return [entry for entry in entries if not entry.id.startswith(own)]


def capped(offer: Offer | None, rule: Rule | None) -> list[str]:
    """The subjects of these that have caps."""
    subjects = {} if offer is None else {offer.name: offer.caps}
    subjects |= {} if rule is None else {_of_rule(rule.name): rule.caps}
    return [name for name, caps in subjects.items() if caps != Caps()]


def offer_cap(offer: Offer, shown: Shown, now: datetime) -> str | None:
    """Which cap of the offer is reached, in words; None = none."""
    return cap_reached(offer.caps, shown.get(offer.name, ()), now)


def rule_cap(rule: Rule, shown: Shown, now: datetime) -> str | None:
    """Which cap of the rule is reached, in words; None = none."""
    return cap_reached(rule.caps, shown.get(_of_rule(rule.name), ()), now)


def cap_reached(caps: Caps, shown: Sequence[datetime], now: datetime) -> str | None:
    """Which cap the times shown reach, in words; None = none. What lies ahead of `now` counts: a clock may jump."""
    if caps.lifetime is not None and len(shown) >= caps.lifetime:
        return f"shown {len(shown)} times, at most {caps.lifetime}"
    for most, window, word in ((caps.per_day, DAY, "24 hours"), (caps.per_week, WEEK, "7 days")):
        if most is not None:
            count = sum(at > now - window for at in shown)
            if count >= most:
                return f"shown {count} times in {word}, at most {most}"
    return None


def _of_rule(name: str) -> str:
    return f"rule:{name}"
