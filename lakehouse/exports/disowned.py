"""Addresses that somebody said are not the profile's: blocked or unlinked in the identity graph. They are no address of its in any export.

gold.contacts has what was told, and an override changes nothing of that. Letters ask the graph for each address, and so do exports, with the
rules of lakehouse/identity/overrides.py: nobody holds what is blocked, and of an unlinked pair only who does not carry the stronger holds the weaker.
Where no override names an address, nothing is looked up.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.config import Config
from lakehouse.events.identifier import Identifier
from lakehouse.events.identifiers import EMAIL, MAILBOX, PHONE, Resolver
from lakehouse.exports.mapping import PROFILE, RowMapping
from lakehouse.exports.source import Gold
from lakehouse.exports.telephones import countries_of
from lakehouse.identity.override_store import Store, read
from lakehouse.identity.overrides import NamedIdentifier
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP, SILVER_IDENTITY_OVERRIDES

_REACHED_BY = (EMAIL, PHONE)  # columns of gold.contacts
_ADDRESSES = frozenset({EMAIL, MAILBOX, PHONE})
_ANY = 2**31


class Disowned:
    """Of one lake."""

    def __init__(self, gold: Gold, config: Config) -> None:
        self._gold, self._rules, self._resolver = gold, config.identity.rules, Resolver(config)
        self._overrides = Store(root=str(gold.folder), spark=None)
        self._version: str | None = None
        self._in_force: Sequence[str] = ()
        # What is never held, and what is held only by who does not carry the other.
        self._blocked: frozenset[Identifier] = frozenset()
        self._weaker: Mapping[Identifier, frozenset[Identifier]] = {}

    def in_force(self) -> Sequence[str]:
        """The overrides that name an address: where they are others, anybody's row may be. Raises ExportError."""
        self._look()
        return self._in_force

    def taken_out(self, rows: pa.Table, mapping: RowMapping) -> pa.Table:
        """The rows, as the mapping reads them, without addresses that are not the profile's, and what is said of these. Raises ExportError."""
        self._look()
        for kind in _REACHED_BY if self._in_force else ():
            if kind in mapping.reads and mapping.words[kind].group == GOLD_CONTACTS.name:
                rows = self._without(rows, kind, mapping)
        return rows

    def _without(self, rows: pa.Table, kind: str, mapping: RowMapping) -> pa.Table:
        told = self._told(rows, kind)
        asked = {one for ones in told for one in ones if one in self._weaker}
        held = self._holders(asked) if asked else frozenset()
        is_not_theirs = [
            any(one in self._blocked or (one in asked and (profile, one) not in held) for one in ones)
            for profile, ones in zip(rows[PROFILE].to_pylist(), told, strict=True)
        ]
        if not any(is_not_theirs):
            return rows
        gone = pa.array(is_not_theirs, pa.bool_())
        for name in (kind, f"{kind}_source", f"{kind}_told_at"):
            if name in mapping.reads and mapping.words[name].group == GOLD_CONTACTS.name:
                place = rows.column_names.index(name)
                kept = pc.if_else(gone, pa.scalar(None, rows[name].type), rows[name])
                rows = rows.set_column(place, name, kept)
        return rows

    def _told(self, rows: pa.Table, kind: str) -> list[frozenset[Identifier]]:
        """What each row's address stands for. A number without country code is national to the address that was told with it: gold has the person's."""
        profiles, values = rows[PROFILE].to_pylist(), rows[kind].to_pylist()
        countries = countries_of(self._gold, set(profiles)) if kind == PHONE else {}
        told = []
        for profile, value in zip(profiles, values, strict=True):
            regions = () if value is None else {None, countries.get(profile)}
            ones = (self._resolver.resolve(kind, value, region) for region in regions)
            told.append(frozenset(one for one in ones if one is not None))
        return told

    def _holders(self, asked: set[Identifier]) -> frozenset[tuple[str, Identifier]]:
        """Profile and identifier, where an actor of the profile carries it and not what it was unlinked from."""
        weaker = {one: self._weaker[one] for one in asked}
        named = {*weaker, *(other for others in weaker.values() for other in others)}
        columns = ("actor_id", "identifier_type", "identifier_token")
        edges = self._gold.rows_with(SILVER_IDENTITY_EDGES, columns, columns[2], {token for _, token in named})
        carried: dict[str, set[Identifier]] = {}
        for edge in edges.to_pylist():
            carried.setdefault(edge["actor_id"], set()).add((edge["identifier_type"], edge["identifier_token"]))
        placed = self._gold.rows_with(SILVER_IDENTITY_MAP, ("actor_id", PROFILE), "actor_id", carried)
        return frozenset(
            (row[PROFILE], one)
            for row in placed.to_pylist()
            for one, others in weaker.items()
            if one in carried[row["actor_id"]] and not others & carried[row["actor_id"]]
        )

    def _look(self) -> None:
        if not self._gold.has(SILVER_IDENTITY_OVERRIDES):
            return
        version = self._gold.version(SILVER_IDENTITY_OVERRIDES)
        if version == self._version:
            return
        in_force, blocked, weaker = list[str](), set[Identifier](), dict[Identifier, set[Identifier]]()
        for override in (one for one in read(self._overrides).values() if one.is_active):
            *others, weakest = sorted(override.identifiers, key=self._strength)
            if override.action == "link" or weakest.type not in _ADDRESSES:
                continue
            in_force.append(override.override_id)
            if override.action == "block":
                blocked.add(weakest)
            else:
                weaker.setdefault(weakest, set()).update(others)
        self._version, self._in_force, self._blocked = version, sorted(in_force), frozenset(blocked)
        self._weaker = {one: frozenset(others) for one, others in weaker.items()}

    def _strength(self, identifier: NamedIdentifier) -> tuple[int, NamedIdentifier]:
        """The strongest first, as lakehouse/identity/overrides.py has it."""
        rule = self._rules.get(identifier[0])
        return (_ANY if rule is None else rule.priority), identifier
