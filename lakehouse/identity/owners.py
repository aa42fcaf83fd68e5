"""From the index: which identifiers a profile has, and whose an identifier is."""

from collections.abc import Collection, Iterable

from lakehouse.events.identifier import Identifier
from lakehouse.identity.hubs import Rules, rule_of
from lakehouse.identity.index import ActorRecord, Index, IndexReader
from lakehouse.identity.matches import MATCH

_MOST_CARRIERS = 1000  # actors looked at to find out whose an identifier is


def identifiers_of(index: Index, profile_ids: Collection[str]) -> dict[str, list[Identifier]]:
    """The identifiers of each profile that is there, the one that turned up last in a new bundle first."""
    newest: dict[str, dict[Identifier, int]] = {}
    with index.reading() as reader:
        named = {number: profile for profile in profile_ids if (number := reader.number(profile)) is not None}
        records = (reader.record(number) for number in named)
        components = {record.component for record in records if record is not None and record.component is not None}
        for number in {member for component in components for member in reader.in_component(component)}:
            record = reader.record(number)
            profile = None if record is None else named.get(_profile(record))
            if record is None or profile is None:
                continue
            seen = newest.setdefault(profile, {})
            for identifier, facts in record.edges.items():
                if identifier[0] != MATCH:
                    seen[identifier] = max(seen.get(identifier, 0), int(facts[2]))
    return {profile: sorted(seen, key=lambda one: (-seen[one], one)) for profile, seen in newest.items()}


def owners(index: Index, identifiers: Iterable[Identifier], rules: Rules) -> dict[Identifier, str | None]:
    """The profile an event would belong to that carries nothing but this identifier; None when that is not known.

    Where all its carriers are of one profile, that. Where several people share it, the profile of the actor that carries
    it alone, if there is one. A hub is of the profile that those it links are of, if they are of one; else nobody is shown
    another's profile.
    """
    names: dict[int, str] = {}
    with index.reading() as reader:
        return {identifier: _owner(reader, identifier, rules, names) for identifier in identifiers}


def _owner(reader: IndexReader, identifier: Identifier, rules: Rules, names: dict[int, str]) -> str | None:
    rule = rule_of(identifier[0], rules)
    is_hub = reader.degree(identifier) > rule.max_actors
    if is_hub and not rule.keeps_oldest:
        return None
    profiles: set[int] = set()
    for carrier in reader.carriers(identifier, min(rule.max_actors, _MOST_CARRIERS)):
        record = reader.record(carrier.number)
        if record is None or record.place is None or identifier not in record.edges:
            continue
        profile = _profile(record)
        profiles.add(profile)
        if not is_hub and all(other == identifier or other[0] == MATCH for other in record.edges):
            return _name(reader, profile, names)
    return _name(reader, profiles.pop(), names) if len(profiles) == 1 else None


def _profile(record: ActorRecord) -> int:
    """The number of its profile; -1 while it has none."""
    return -1 if record.place is None else int(str(record.place[0]))


def _name(reader: IndexReader, number: int, names: dict[int, str]) -> str:
    if number not in names:
        record = reader.record(number)
        assert record is not None, "a profile is named after an actor of the index"
        names[number] = record.actor_id
    return names[number]
