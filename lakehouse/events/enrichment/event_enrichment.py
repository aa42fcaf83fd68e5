"""All enrichment of one event, by one configuration: each part may be off, and then is None."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lakehouse.config import Config
from lakehouse.events.document import object_at, text_of
from lakehouse.events.enrichment.locations import Location, LocationReader
from lakehouse.events.enrichment.traffic import Traffic, TrafficReader
from lakehouse.events.enrichment.user_agents import Agent, agent
from lakehouse.events.enrichment.visitor import visitor_id
from lakehouse.events.sender import Sender


class Enriched(NamedTuple):
    visitor_id: str | None
    traffic: Traffic | None
    agent: Agent | None
    location: Location | None


class Enrichment:
    """Thread-safe."""

    def __init__(self, config: Config) -> None:
        self._has_agents, self._has_visitors = config.enrichment.user_agents, config.enrichment.sessions
        self._traffic = TrafficReader(config) if config.enrichment.traffic else None
        database = config.enrichment.ip_database
        self._locations = LocationReader(database) if database else None

    def read(
        self, context: Mapping[str, Any], properties: Mapping[str, Any], sender: Sender, is_visit: bool
    ) -> Enriched:
        """`is_visit`: it tells of a page or a screen."""
        anonymous_id = sender.shown[1]
        return Enriched(
            visitor_id=visitor_id(anonymous_id, sender.identifiers, is_visit=is_visit) if self._has_visitors else None,
            traffic=None if self._traffic is None else self._traffic.read(context, properties),
            agent=_agent(context) if self._has_agents else None,
            location=None if self._locations is None else self._locations.read(text_of(context.get("ip")) or ""),
        )


def _agent(context: Mapping[str, Any]) -> Agent | None:
    return agent(text_of(context.get("userAgent")), text_of(object_at(context, "os").get("name")))
