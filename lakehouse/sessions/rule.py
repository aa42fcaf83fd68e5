"""When a session ends. The one place that says so.

Over a visitor's events in order of time (at one instant in order of message_id) an event begins a session when

    it is the first,
    or more than 30 minutes have passed since the event before it,
    or it brings a campaign (source, medium, name of a tagged link or a paid click) other than the one the session has.

Source: Snowplow's trackers end a session after 30 minutes of silence (https://docs.snowplow.io, "sessionization"); that a new campaign begins
one is Google Analytics' rule since Urchin. A visit without a campaign has none, so the first one it meets is new. A referrer
alone begins nothing, nor does midnight.

What never falls silent is nobody's visit: of more than 10,000 events with no 30 minutes of silence between any two of them no session is
made. A screen in a shop does so, or a server that sends every customer's events under one id. People end, so nobody is left out, and no
visitor costs more than that.

What follows is a function of the set of events: their order and batching do not matter. Silence of more than 30 minutes keeps what lies
before and after it apart. So an event, however late, concerns the clusters of events within 30 minutes of it and no others.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from lakehouse.events.enrichment.locations import Location
from lakehouse.events.enrichment.traffic import Traffic
from lakehouse.events.enrichment.user_agents import Agent

GAP = timedelta(minutes=30)
GAP_US = GAP // timedelta(microseconds=1)
MOST_EVENTS = 10_000


class Visit(NamedTuple):
    """One event, as far as sessions are concerned. It is the same one where time and message_id are.

    at: microseconds since 1970. page: its address without query string, None = none told. order_id, revenue, currency: of Order Completed; revenue in
    digits.
    """

    at: int
    message_id: str
    actor_id: str
    is_page_view: bool
    page: str | None
    traffic: Traffic | None
    agent: Agent | None
    location: Location | None
    order_id: str | None
    revenue: str | None
    currency: str | None

    @property
    def campaign(self) -> tuple[str | None, ...] | None:
        """What a campaign is told by; None = the event brings none."""
        traffic = self.traffic
        return (traffic.source, traffic.medium, traffic.campaign) if traffic and traffic.is_campaign else None


Visits = list[Visit]


class Cluster(NamedTuple):
    """Events of a visitor with no more than GAP between them, in order. events: None = more than MOST_EVENTS."""

    start: int
    end: int
    events: Visits | None


def clusters(events: Iterable[Visit], endless: Iterable[Cluster] = ()) -> list[Cluster]:
    """Events of one visitor in any order, each once where it came twice, and clusters of more than MOST_EVENTS -> all its clusters, in order."""
    found = [Cluster(at, at, [event]) for (at, _), event in sorted({event[:2]: event for event in events}.items())]
    result: list[Cluster] = []
    for start, end, held in sorted([*found, *endless], key=lambda cluster: cluster.start):
        before = result[-1] if result else None
        if before is None or start - before.end > GAP_US:
            result.append(Cluster(start, end, held))
        elif before.events is None or held is None or len(before.events) >= MOST_EVENTS:
            result[-1] = Cluster(before.start, max(before.end, end), None)
        else:
            before.events.extend(held)
            result[-1] = before._replace(end=end)
    return result


def sessions(cluster: Cluster) -> Iterator[Visits]:
    """The sessions of a cluster."""
    events = cluster.events
    if events is None:
        return
    start, campaign = 0, events[0].campaign
    for place in range(1, len(events)):
        told = events[place].campaign
        if told is not None and told != campaign:
            yield events[start:place]
            start, campaign = place, told
    yield events[start:]
