"""All enrichment of one event, by one configuration: each part may be off, and then is None."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.events.document import objects_at, text_of
from lakehouse.events.enrichment.locations import Location, LocationReader
from lakehouse.events.enrichment.traffic import Traffic, TrafficReader
from lakehouse.events.enrichment.user_agents import Agent, agent
from lakehouse.events.enrichment.visitor import visitor_id
from lakehouse.events.sender import Sender

_Objects = Sequence[Mapping[str, Any]]


class Enriched(NamedTuple):
    """Of many events, each a column."""

    visitor_id: Sequence[str | None]
    traffic: Sequence[Traffic | None]
    agent: Sequence[Agent | None]
    location: Sequence[Location | None]


class Enrichment:
    """Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._has_agents, self._has_visitors = config.enrichment.user_agents, config.enrichment.sessions
        self._traffic = TrafficReader(config) if config.enrichment.traffic else None
        database = config.enrichment.ip_database
        self._locations = LocationReader(database) if database else None

    def read(
        self,
        contexts: _Objects,
        properties: _Objects,
        senders: Sequence[Sender],
        agents: Sequence[str | None],
        are_visits: Sequence[bool],
    ) -> Enriched:
        """`agents`: what each says of its user agent. `are_visits`: whether it tells of a page or a screen."""
        nothing: list[Any] = [None] * len(contexts)
        locations = self._locations
        return Enriched(
            visitor_id=_visitors(senders, are_visits) if self._has_visitors else nothing,
            traffic=nothing if self._traffic is None else list(map(self._traffic.read, contexts, properties)),
            agent=list(map(agent, agents, _systems(contexts))) if self._has_agents else nothing,
            location=nothing
            if locations is None
            else [locations.read(text_of(context.get("ip")) or "") for context in contexts],
        )


def _visitors(senders: Sequence[Sender], are_visits: Sequence[bool]) -> list[str | None]:
    return [
        visitor_id(None, one.identifiers, is_visit=is_visit) if one.shown[1] is None else one.shown[1]
        for one, is_visit in zip(senders, are_visits, strict=True)
    ]


def _systems(contexts: _Objects) -> list[str | None]:
    return [text_of(one.get("name")) if one else None for one in objects_at(contexts, "os")]
