"""The hubs of the stored graph once a micro-batch is in, from the index. A hub that keeps its oldest costs no more than those.

The actors of a hub lie in the index in order of age. So only as many are read as the hub links, and as the batch brings, however
many carry it.
"""

from collections import Counter
from collections.abc import Collection

import pandas as pd

from lakehouse.events.identifier import Identifier
from lakehouse.identity.hubs import Rules, are_many_people, rule_of
from lakehouse.identity.index import Carrier, IndexReader, micros
from lakehouse.identity.touched_components import EDGE_KEY

_NOT_STORED = -1  # in place of an actor's number


class StoredHubs:
    """What is asked of them in one micro-batch.

    Args:
        reader: of the index.
        rules: by identifier type.
        change: by how many the carriers of an identifier grow or shrink.
        actors, new_edges: those of the batch, as `reach.touched` takes them.
    """

    def __init__(
        self,
        reader: IndexReader,
        rules: Rules,
        change: Counter[Identifier],
        actors: pd.DataFrame,
        new_edges: pd.DataFrame,
    ) -> None:
        self._reader, self._rules, self._change = reader, rules, change
        self._seen = _earliest(actors)
        self._bundles: dict[str, set[Identifier]] = {}
        self._brought: dict[Identifier, set[str]] = {}
        for actor, type_, token in zip(*(new_edges[name].tolist() for name in EDGE_KEY), strict=True):
            if actor in self._seen:
                self._bundles.setdefault(actor, set()).add((type_, token))
                self._brought.setdefault((type_, token), set()).add(actor)

    def cap(self, identifier: Identifier) -> int:
        return rule_of(identifier[0], self._rules).max_actors

    def is_hub(self, identifier: Identifier) -> bool:
        return self._reader.degree(identifier) + self._change[identifier] > self.cap(identifier)

    def keeps_oldest(self, identifier: Identifier) -> bool:
        rule = rule_of(identifier[0], self._rules)
        return rule.keeps_oldest and rule.max_actors > 1 and self.is_hub(identifier)

    def gains(self, identifier: Identifier) -> bool:
        """Of a hub that keeps its oldest: whether the batch brings one of them."""
        brought = self._brought.get(identifier, set())
        return not brought.isdisjoint(carrier.actor_id for carrier in self._oldest(identifier))

    def linked(self, identifier: Identifier) -> set[int]:
        """Of a hub that keeps its oldest: the numbers of those that are stored, and of those whose place the batch takes."""
        return {carrier.number for carrier in self._stored(identifier)}

    def youngest(self, identifier: Identifier, given: Collection[str]) -> str | None:
        """Of a hub, the youngest actor that it links; None where it links none of those given."""
        if not self.keeps_oldest(identifier):
            return None
        oldest = self._oldest(identifier)
        if oldest[-1].actor_id not in given:  # those it links are one component: all are given, or none
            return None
        carried = {one for carrier in oldest for one in self._bundle(carrier)}
        return None if are_many_people((type_ for type_, _ in carried), self._rules) else oldest[-1].actor_id

    def _oldest(self, identifier: Identifier) -> list[Carrier]:
        """The oldest actors, as many as the cap, once the batch is in."""
        carriers = {carrier.actor_id: carrier for carrier in self._stored(identifier)}
        for actor in self._brought.get(identifier, ()):
            before = carriers.get(actor)
            if before is None or self._seen[actor] < before.first_seen_at:
                number = _NOT_STORED if before is None else before.number
                carriers[actor] = Carrier(self._seen[actor], actor, number)
        return sorted(carriers.values())[: self.cap(identifier)]

    def _stored(self, identifier: Identifier) -> list[Carrier]:
        """The oldest that are stored, those among them whose place the batch may take or have taken."""
        return self._reader.carriers(identifier, self.cap(identifier) + len(self._brought.get(identifier, ())))

    def _bundle(self, carrier: Carrier) -> set[Identifier]:
        record = self._reader.record(carrier.number) if carrier.number != _NOT_STORED else None
        return self._bundles.get(carrier.actor_id, set()) | (set() if record is None else set(record.edges))


def _earliest(actors: pd.DataFrame) -> dict[str, int]:
    seen: dict[str, int] = {}
    for actor, at in zip(actors["actor_id"].tolist(), micros(actors["first_seen_at"]), strict=True):
        seen[actor] = min(at, seen.get(actor, at))
    return seen
