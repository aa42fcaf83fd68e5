"""Which of a person's statements of consent holds. Pure; a function of a set: order of arrival does not matter.

A person is a set of actors. Whoever they are follows from the identifiers that actors carry, from the first event of each on. So the rule is told
along event time:

    an actor turns up       those whose identifiers it carries are one person from now on. Of what they had said of a purpose the most
                            restrictive word holds: a no before any yes, a later no before an earlier one
    somebody speaks         their word holds for the whole person they are by then, whatever was said before
    at the end              what is one profile although no identifier ties it (a match, an override) is one person, too, by the same rule

A split needs no rule: whoever is no actor of the person is not asked, and has said what they said. At the same instant an actor turns up before it
speaks, and of two statements the one with the greater message id is the later, as everywhere in silver.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Statement(NamedTuple):
    """What one message said of one purpose. at: microseconds since 1970, UTC."""

    purpose: str
    at: int
    message_id: str
    is_allowed: bool


class Speaker(NamedTuple):
    """One actor. first_at: of its first event, microseconds since 1970. statements: in no order; of each purpose the latest is enough, unless a past moment is asked for."""

    actor_id: str
    first_at: int
    identifiers: Collection[str]
    statements: Sequence[Statement]


class Held(NamedTuple):
    """The statement that holds for a purpose. over: others that said otherwise and do not hold, for people who became one were not of one mind."""

    statement: Statement
    over: tuple[Statement, ...] = ()

    @property
    def is_allowed(self) -> bool:
        return self.statement.is_allowed


@dataclass(eq=False)
class Person:
    """Some actors that are one person, and what holds of what they said, by purpose."""

    actors: set[str]
    identifiers: set[str]
    held: dict[str, Held] = field(default_factory=dict)


def people(speakers: Iterable[Speaker], *, until: int | None = None) -> list[Person]:
    """Who the actors are, and what holds for each of them. `until`: as of then, to the microsecond; None = with all that is known."""
    moments: list[tuple[int, int, str, Speaker, Statement | None]] = []
    for one in speakers:
        moments.append((one.first_at, 0, one.actor_id, one, None))
        moments += [(said.at, 1, said.message_id, one, said) for said in one.statements]
    known = [moment for moment in moments if until is None or moment[0] <= until]
    known.sort(key=lambda moment: moment[:3])
    carried: dict[str, Person] = {}
    of_actor: dict[str, Person] = {}
    for _, _, _, speaker, said in known:
        if said is None:
            _turn_up(speaker, carried, of_actor)
        else:
            of_actor[speaker.actor_id].held[said.purpose] = Held(said)
    return list({id(person): person for person in of_actor.values()}.values())


def as_one(found: Sequence[Person]) -> Mapping[str, Held]:
    """What holds for a profile of all of them, by purpose; nothing of a purpose that nobody spoke of."""
    purposes = sorted({purpose for person in found for purpose in person.held})
    return {purpose: _most_restrictive([p.held[purpose] for p in found if purpose in p.held]) for purpose in purposes}


def _turn_up(speaker: Speaker, carried: dict[str, Person], of_actor: dict[str, Person]) -> None:
    met = list({id(carried[one]): carried[one] for one in speaker.identifiers if one in carried}.values())
    met.sort(key=lambda person: len(person.actors), reverse=True)
    if not met:
        met = [Person(set(), set())]
    person, *others = met
    if others:
        person.held = dict(as_one(met))
    for other in others:
        for actor in other.actors:
            of_actor[actor] = person
        for identifier in other.identifiers:
            carried[identifier] = person
        person.actors |= other.actors
        person.identifiers |= other.identifiers
    person.actors.add(speaker.actor_id)
    person.identifiers.update(speaker.identifiers)
    of_actor[speaker.actor_id] = person
    for identifier in speaker.identifiers:
        carried[identifier] = person


def _most_restrictive(words: Sequence[Held]) -> Held:
    """Of several people's words on one purpose."""
    first = max(words, key=lambda one: (not one.is_allowed, one.statement.at, one.statement.message_id))
    over = {
        statement
        for one in words
        for statement in (one.statement, *one.over)
        if statement.is_allowed != first.is_allowed
    }
    return first._replace(over=tuple(sorted(over, key=lambda one: (one.at, one.message_id))))
