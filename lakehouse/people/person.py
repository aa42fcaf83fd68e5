"""Who somebody is, whole: from one identifier to every profile, actor and identifier that the graph of now makes one person.

An identifier that other profiles carry, too, is not theirs: a device of the living room, the telephone of a family. What is theirs alone is what
they are found by beyond the graph, in records that never came into it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa

from lakehouse.config import Config
from lakehouse.errors import StitchlakeError
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import Resolver
from lakehouse.identity.hubs import rule_of
from lakehouse.identity.matches import MATCH, MATCH_RULE
from lakehouse.identity.override_requests import unknown_type
from lakehouse.lake.delta import Lake
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

_EDGE = ("actor_id", "identifier_type", "identifier_token")


@dataclass(frozen=True, kw_only=True)
class Person:
    """own: identifiers that nobody else carries, the one that was named among them. shared: those that others carry, too.

    matches: tokens of edges to actors that may be the same person. actors: of the graph. profiles: () = nobody knows them.
    """

    own: frozenset[Identifier]
    shared: frozenset[Identifier] = frozenset()
    matches: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    profiles: tuple[str, ...] = ()

    @property
    def units(self) -> set[str]:
        """As whom the decision log may name them."""
        return {*self.actors, *(f"{type_}:{token}" for type_, token in self.own)}


def identifier_of(config: Config, type_: str, value: str) -> Identifier:
    """As the lake knows it.

    Raises:
        StitchlakeError: no such type, or a value that identifies nobody.
    """
    if (fault := unknown_type(type_, config.identity.rules)) is not None:
        raise StitchlakeError(f"person: {fault}")
    identifier = Resolver(config).resolve(type_, value)
    if identifier is None:
        raise StitchlakeError(
            f"person {type_}: a blocked or malformed value, expected one that can identify somebody. See conf/identity.toml"
        )
    return identifier


def profiles_with(lake: Lake, identifier: Identifier) -> list[str]:
    """The profiles whose actors carry it."""
    actors = {actor for actor, one in _edges(lake, "identifier_token", {identifier[1]}) if one == identifier}
    return sorted(set(_column(lake, SILVER_IDENTITY_MAP, "actor_id", actors, "profile_id")))


def person(lake: Lake, identifier: Identifier, profiles: Collection[str]) -> Person:
    """The person whose profiles these are, as the identity tables stand."""
    actors = set(_column(lake, SILVER_IDENTITY_MAP, "profile_id", profiles, "actor_id"))
    carried = {one for _, one in _edges(lake, "actor_id", actors)}
    known = {one for one in carried if one[0] != MATCH}
    strangers = _edges(lake, "identifier_token", {token for _, token in known})
    shared = {one for actor, one in strangers if actor not in actors} & known
    return Person(
        own=frozenset((known - shared) | ({identifier} - shared)),
        shared=frozenset(shared),
        matches=frozenset(token for type_, token in carried if type_ == MATCH),
        actors=frozenset(actors),
        profiles=tuple(sorted(profiles)),
    )


def neighbours(lake: Lake, people: Iterable[Person]) -> set[str]:
    """Actors of others whose place in the graph may follow from these people: of their components, and who shares an identifier with them.

    What is still carried by more actors than it may link, once they are gone, links nobody then as it did before.
    """
    told, rules = list(people), {**lake.config.identity.rules, MATCH: MATCH_RULE}
    actors = {actor for one in told for actor in one.actors}
    components = set(_column(lake, SILVER_IDENTITY_MAP, "actor_id", actors, "component_id"))
    found = set(_column(lake, SILVER_IDENTITY_MAP, "component_id", components, "actor_id"))
    shared = {one for each in told for one in each.shared} | {(MATCH, token) for each in told for token in each.matches}
    carriers: dict[Identifier, set[str]] = {}
    for actor, one in _edges(lake, "identifier_token", {token for _, token in shared}):
        if one in shared and actor not in actors:
            carriers.setdefault(one, set()).add(actor)
    for one, those in carriers.items():
        rule = rule_of(one[0], rules)
        if rule.keeps_oldest or len(those) <= rule.max_actors:
            found |= those
    return found - actors


def _edges(lake: Lake, column: str, values: Collection[str]) -> list[tuple[str, Identifier]]:
    """Actor and identifier of the edges whose column holds one of the values."""
    if not values:
        return []
    rows = lake.rows_with(SILVER_IDENTITY_EDGES, column, values, columns=_EDGE)
    return [(actor, (type_, token)) for actor, type_, token in _tuples(rows)]


def _column(lake: Lake, table: Table, column: str, values: Collection[str], wanted: str) -> list[str]:
    if not values:
        return []
    found: list[str] = lake.rows_with(table, column, values, columns=(column, wanted))[wanted].to_pylist()
    return found


def _tuples(rows: pa.Table) -> Iterable[tuple[str, ...]]:
    return zip(*(rows[name].to_pylist() for name in _EDGE), strict=True)
