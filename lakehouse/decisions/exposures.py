"""That somebody was shown something, and how often is too often: the one place for caps, whoever shows it. Pure.

An exposure is an entry `<decision_id>:exposure:<subject>` on a visitor's timeline `x:<type>:<token>`; a subject is an offer,
or the rule that brought it. One decision is one exposure, through however many channels it goes. A timeline keeps the newest
entries and ends; those that count for life are a document besides, `life:<type>:<token>`, of as many of a subject as its cap.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from lakehouse.config.declarations import Caps
from lakehouse.decisions.offers import Offer
from lakehouse.errors import StoreError
from lakehouse.events.identifier import Identifier
from lakehouse.online.store import Entry
from lakehouse.rules.book import Rule

DAY, WEEK = timedelta(days=1), timedelta(days=7)
Shown = Mapping[str, Sequence[datetime]]
"""Subject -> when it was shown to the person."""


def entries(decision_id: str, offer: str | None, rule: str | None, at_ms: int) -> list[Entry]:
    """What is written down of one exposure, as lakehouse/online/recent_behaviour.py reads it; the same again changes nothing."""
    subjects = [name for name in (offer, None if rule is None else _of_rule(rule)) if name is not None]
    return [_entry(at_ms, f"{decision_id}:exposure:{name}", name) for name in subjects]


def lifetimes(offers: Iterable[Offer], rules: Iterable[Rule]) -> dict[str, int]:
    """The cap for life of each subject that has one."""
    caps = {offer.name: offer.caps.lifetime for offer in offers}
    caps |= {_of_rule(rule.name): rule.caps.lifetime for rule in rules}
    return {name: most for name, most in caps.items() if most is not None}


def for_life(document: bytes | None) -> list[Entry]:
    """The exposures of a document of `with_those_for_life`. Raises StoreError where it is none."""
    return [] if document is None else _read(document)[1]


def with_those_for_life(
    document: bytes | None, entries: Iterable[Entry], caps: Mapping[str, int]
) -> tuple[int, bytes] | None:
    """The next version of the document and its value, with those entries whose subject is in `caps`; None = there is nothing to add.

    Raises:
        StoreError: the document cannot be read.
    """
    version, held = (0, []) if document is None else _read(document)
    known = {entry.id for entry in held}
    counts = Counter(_subject(entry) for entry in held)
    added = []
    for entry in entries:
        subject = _subject(entry)
        if entry.id not in known and counts[subject] < caps.get(subject, 0):
            added.append(entry)
            known.add(entry.id)
            counts[subject] += 1
    if not added:
        return None
    shown = [[entry.at_ms, entry.id, _subject(entry)] for entry in (*held, *added)]
    return version + 1, orjson.dumps([version + 1, shown])


def life_key(identifier: Identifier) -> str:
    """Of the document of whoever has this identifier. Kept: lakehouse/online/engines.py."""
    return f"life:{identifier[0]}:{identifier[1]}"


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


def _entry(at_ms: int, id_: str, subject: str) -> Entry:
    return Entry(at_ms, id_, orjson.dumps({"kind": "exposure", "offer": subject}))


def _subject(entry: Entry) -> str:
    """Of an exposure; "" of anything else."""
    if b'"exposure"' not in entry.value:
        return ""
    fact = orjson.loads(entry.value)
    return str(fact.get("offer", "")) if fact.get("kind") == "exposure" else ""


def _read(document: bytes) -> tuple[int, list[Entry]]:
    try:
        version, shown = orjson.loads(document)
        return int(version), [_entry(int(at_ms), str(id_), str(subject)) for at_ms, id_, subject in shown]
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise StoreError(f"online store: what was shown for life cannot be read ({error!r})") from error


def _of_rule(name: str) -> str:
    return f"rule:{name}"
