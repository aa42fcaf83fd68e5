"""Requests to erase a person, as files until they are carried out: anybody may leave one, and the lake's writer takes it up.

A file holds the token of the identifier that was named and, once the person was resolved, all that they are found by: so whoever goes on after a
crash erases the same person, although the graph does not know them any more. It is gone when the erasure is done.
"""

import dataclasses
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from lakehouse.events.identifier import Identifier
from lakehouse.lake.folders import SUFFIX, Folder
from lakehouse.people.person import Person

WAITING = "_erasures"
Stage = Literal["asked", "resolved", "left"]
"""asked: nothing was done. resolved: who it is is known, and records are held back. left: only what others write is left."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """`every`: all profiles that carry the identifier, where they are several. person, held_until, neighbours: once it is resolved.

    left_at: when nothing of them was in gold any more. commits: of tables, by then. counts: rows that went, by table.
    """

    erasure_id: str
    identifier: Identifier
    by: str
    reason: str
    at: datetime
    every: bool = False
    stage: Stage = "asked"
    person: Person | None = None
    held_until: datetime | None = None
    left_at: datetime | None = None
    neighbours: tuple[str, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    commits: Mapping[str, int] | None = None

    @property
    def resolved(self) -> Person:
        """Who it is, of a request that is not only asked."""
        assert self.person is not None, "a request is resolved before it is carried out"
        return self.person

    @property
    def held(self) -> datetime:
        """Up to when what happened is theirs, of a request that is not only asked. Whoever has their identifiers later may be somebody new."""
        assert self.held_until is not None, "a request is resolved before it is carried out"
        return self.held_until

    @property
    def file(self) -> str:
        return f"{self.at:%Y%m%dT%H%M%S%f}-{self.erasure_id}{SUFFIX}"

    def text(self) -> str:
        """As JSON; `parse` reads it."""
        told = dataclasses.asdict(self)
        return json.dumps(told, default=_plain, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Self:
        told = json.loads(text)
        for name in ("at", "held_until", "left_at"):
            time = told.get(name)  # a request of an earlier release has no left_at
            told[name] = None if time is None else datetime.fromisoformat(time)
        told["identifier"], told["neighbours"] = tuple(told["identifier"]), tuple(told["neighbours"])
        told["person"] = None if told["person"] is None else _person(told["person"])
        return cls(**told)


def new(identifier: Identifier, *, by: str, reason: str, at: datetime, every: bool) -> Request:
    """Its id is random, so that it says nothing of the person."""
    return Request(
        erasure_id=secrets.token_hex(8), identifier=identifier, by=by, reason=reason, at=at.astimezone(UTC), every=every
    )


def milliseconds(at: datetime) -> int:
    """Since 1970, as the online store has times."""
    return int(at.timestamp() * 1000)


def waiting(place: Folder) -> list[Request]:
    """The oldest first. One directory listing where there is none."""
    texts = (place.read(name) for name in place.names())
    return [Request.parse(text) for text in texts if text is not None]


def keep(place: Folder, request: Request) -> None:
    place.write(request.file, request.text())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else sorted(value)


def _person(told: Mapping[str, Any]) -> Person:
    return Person(
        own=frozenset((type_, token) for type_, token in told["own"]),
        shared=frozenset((type_, token) for type_, token in told["shared"]),
        matches=frozenset(told["matches"]),
        actors=frozenset(told["actors"]),
        profiles=tuple(told["profiles"]),
    )
