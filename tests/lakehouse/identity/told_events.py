"""Events written in one line each, taken through the real rule: values resolved, bundled to actors, solved, logged.

    "visit 2022-05-02T14:01:00 anonymous_id=5285bc35 email=jane.kim@segment.com"

Name of the event, its time (UTC), its identifiers. An answer calls a profile by the earliest event of the actor that names
it, so that a reader can compare it with the page it was taken from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pandas as pd

from lakehouse.config import Config, load
from lakehouse.events.identifiers import resolve
from lakehouse.identity.changes import changes, fold
from lakehouse.identity.solve import solve

CONFIG = load("dev", environ={})
_IDENTIFIER = ["identifier_type", "identifier_token"]
_START = datetime(2030, 1, 1)  # of the first micro-batch: after every event, so that it is never taken for one's time


def limited(**limits: int) -> Config:
    """The configuration with other limits per identifier type; a type it does not have yet becomes one."""
    return load("dev", environ={f"STITCHLAKE__IDENTITY__{name.upper()}__LIMIT": str(n) for name, n in limits.items()})


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event. `identifiers`: (type, token), blocked ones gone, as `lakehouse.events.parse` bundles them."""

    name: str
    at: datetime
    identifiers: tuple[tuple[str, str], ...]

    @property
    def actor_id(self) -> str:
        return " ".join(f"{type_}={token}" for type_, token in self.identifiers)


def told(line: str, config: Config = CONFIG) -> Told:
    name, time, *words = line.split()
    values = [word.split("=", 1) for word in words]
    tokens = [(type_, resolve(type_, value, config)) for type_, value in values]
    usable = {(type_, token) for type_, token in tokens if token is not None}
    return Told(name=name, at=datetime.fromisoformat(time), identifiers=tuple(sorted(usable)))


@dataclass
class Graph:
    """Micro-batches taken in one after the other; what each of them changed.

    log: (type, event that names the actor, profile before, profile after) of every row of the log, batch by batch, the
    oldest actor first.
    first_profile: identifier -> the profile it was in when it was first met.
    """

    config: Config = CONFIG
    events: list[Told] = field(default_factory=list)
    log: list[tuple[str, str, str | None, str]] = field(default_factory=list)
    first_profile: dict[tuple[str, str], str] = field(default_factory=dict)
    _map: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["actor_id", "profile_id"], dtype="str"))
    _rows: list[pd.DataFrame] = field(default_factory=list)

    def copy(self) -> "Graph":
        own = {"events": [*self.events], "log": [*self.log], "first_profile": {**self.first_profile}}
        return replace(self, _rows=[*self._rows], **own)

    def take(self, *events: str | Told) -> "Graph":
        """One micro-batch. The log always folds to the map."""
        batch = [told(event, self.config) if isinstance(event, str) else event for event in events]
        self.events += batch
        after = solve(*_frames(self.events), self.config.identity.rules)
        at = _START + timedelta(minutes=len(self._rows))
        rows = changes(self._map, after, batch_id=len(self._rows), changed_at=at)
        self._rows.append(rows)
        self._map = after[["actor_id", "profile_id"]]
        assert fold(pd.concat(self._rows)).to_dict("records") == self._map.to_dict("records")
        self._describe(rows, batch)
        return self

    def _describe(self, rows: pd.DataFrame, batch: Sequence[Told]) -> None:
        named = self._named()
        age = {event.name: event.at for event in self.events}
        for row in sorted(rows.itertuples(), key=lambda row: age[named[row.actor_id]]):
            before = None if pd.isna(row.from_profile_id) else named[row.from_profile_id]
            self.log.append((row.type, named[row.actor_id], before, named[row.to_profile_id]))
        profile = self._map.set_index("actor_id")["profile_id"]
        for event in batch:
            for identifier in event.identifiers:
                self.first_profile.setdefault(identifier, named[profile[event.actor_id]])

    def _named(self) -> dict[str, str]:
        """actor_id -> its earliest event."""
        by_age = sorted(self.events, key=lambda event: (event.at, event.name), reverse=True)
        return {event.actor_id: event.name for event in by_age}

    def profiles(self) -> dict[str, str]:
        """Event -> the profile it belongs to now."""
        named, profile = self._named(), self._map.set_index("actor_id")["profile_id"]
        return {event.name: named[profile[event.actor_id]] for event in self.events}


def streamed(lines: Iterable[str | Told], config: Config = CONFIG) -> Graph:
    """Every event a micro-batch of its own, in the order given."""
    graph = Graph(config=config)
    for line in lines:
        graph.take(line)
    return graph


def profiles(lines: Sequence[str], config: Config = CONFIG) -> dict[str, str]:
    """Event -> profile, all of them in one micro-batch."""
    return Graph(config=config).take(*lines).profiles()


def people(answer: Mapping[str, str]) -> set[frozenset[str]]:
    """The partition of the events."""
    return {frozenset(event for event, of in answer.items() if of == profile) for profile in answer.values()}


def end_states(lines: Iterable[str | Told], config: Config = CONFIG) -> list[dict[str, str]]:
    """The distinct answers over every order of arrival, one event a micro-batch. Orders that begin alike are streamed once up to where they part."""
    found: list[dict[str, str]] = []

    def go_on(graph: Graph, left: Sequence[Told]) -> None:
        for place, event in enumerate(left):
            go_on(graph.copy().take(event), [*left[:place], *left[place + 1 :]])
        if not left and (answer := dict(sorted(graph.profiles().items()))) not in found:
            found.append(answer)

    go_on(Graph(config=config), [told(line, config) if isinstance(line, str) else line for line in lines])
    return found


def _frames(events: Iterable[Told]) -> tuple[pd.DataFrame, pd.DataFrame]:
    events = list(events)
    rows = [(event.actor_id, *identifier) for event in events for identifier in event.identifiers]
    edges = pd.DataFrame(rows, columns=["actor_id", *_IDENTIFIER], dtype="str")
    seen = pd.Series([event.at for event in events], dtype="datetime64[us]")
    return edges, pd.DataFrame(
        {"actor_id": pd.Series([e.actor_id for e in events], dtype="str"), "first_seen_at": seen}
    )
