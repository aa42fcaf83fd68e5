"""What holds of every purpose for a person, and by which statement and rule, now or at a moment. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from lakehouse.consent.defaults import Defaults
from lakehouse.consent.standing import Held, Person, Speaker, Statement, as_one, people
from lakehouse.events.consent import SIGNALS
from lakehouse.tables.consent import GRANTED, NO_PURPOSE

Rule = Literal["said", "most restrictive", "left out", "never asked"]
"""said: the latest word. most restrictive: of people who became one. left out: they answered, and said nothing of it. never asked: what is assumed where they are."""


class Row(NamedTuple):
    """A row of silver.consent; said_at: microseconds since 1970."""

    actor_id: str
    message_id: str
    purpose: str
    said_at: int
    status: str
    source: str | None
    jurisdiction: str | None
    text_version: str | None
    told_by: str | None


class Verdict(NamedTuple):
    """basis: the statement that holds, or of `left out` the latest answer; None = nobody was asked. over: statements it holds over."""

    purpose: str
    is_allowed: bool
    rule: Rule
    basis: Row | None
    over: tuple[Row, ...] = ()


class Actor(NamedTuple):
    """One actor of a profile. first_at: of its first event, microseconds since 1970."""

    actor_id: str
    first_at: int
    identifiers: Collection[str]


def verdicts(
    actors: Sequence[Actor],
    rows: Sequence[Row],
    carriers: Collection[str],
    defaults: Defaults,
    *,
    jurisdictions: Collection[str] = (),
    until: int | None = None,
) -> list[Verdict]:
    """Of every declared purpose what holds for whoever `carriers` are.

    Args:
        actors: all of a profile.
        rows: all that these actors said.
        carriers: those of the actors that carry the identifier that was asked for.
        defaults: what holds where nobody was asked.
        jurisdictions: where they were.
        until: as of that moment, microseconds since 1970: who they were by then, and what they had said; None = now.
    """
    who = _who(actors, rows, carriers, until)
    held = as_one(who)
    members = {actor for person in who for actor in person.actors}
    said = [row for row in rows if row.actor_id in members and (until is None or row.said_at <= until)]
    by_statement = {(row.message_id, row.purpose): row for row in said}
    answers = [row for row in said if row.source not in SIGNALS]
    answer = max(answers, key=lambda row: (row.said_at, row.message_id), default=None)
    return [_verdict(name, held.get(name), by_statement, answer, defaults, jurisdictions) for name in defaults.purposes]


def _who(actors: Sequence[Actor], rows: Sequence[Row], carriers: Collection[str], until: int | None) -> list[Person]:
    said: dict[str, list[Statement]] = {one.actor_id: [] for one in actors}
    for row in rows:
        if row.purpose != NO_PURPOSE:
            said[row.actor_id].append(Statement(row.purpose, row.said_at, row.message_id, row.status == GRANTED))
    found = people((Speaker(*one, said[one.actor_id]) for one in actors), until=until)
    return found if until is None else [person for person in found if person.actors.intersection(carriers)]


def _verdict(
    purpose: str,
    held: Held | None,
    rows: Mapping[tuple[str, str], Row],
    answer: Row | None,
    defaults: Defaults,
    jurisdictions: Collection[str],
) -> Verdict:
    if held is not None:
        over = tuple(rows[said.message_id, purpose] for said in held.over)
        rule: Rule = "most restrictive" if over else "said"
        return Verdict(purpose, held.is_allowed, rule, rows[held.statement.message_id, purpose], over)
    if answer is not None:
        return Verdict(purpose, False, "left out", answer)
    return Verdict(purpose, defaults.allows(purpose, jurisdictions), "never asked", None)
