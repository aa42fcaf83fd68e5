"""What became of an action, as a document `a:<decision_id>:<destination>`. Whoever writes the next version has it.

    waiting -> sending -> sent | waiting (again, later) | failed        waiting -> suppressed | failed

A store takes a version once: of two who see `waiting` and write `sending`, one does it. `until_ms`: how long the attempt
may take; an attempt older than that died with its process, and nobody knows whether it got through.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import orjson

from lakehouse.actions.action import Action
from lakehouse.errors import ActionError, StoreError
from lakehouse.online.store import Document, OnlineStore


@dataclass(frozen=True)
class Sent:
    """The destination has taken it."""


@dataclass(frozen=True)
class Retry:
    """Not now. `after`: seconds the destination asks for. `is_its_fault`: it counts against the destination, not the action."""

    reason: str
    after: float | None = None
    is_its_fault: bool = True


@dataclass(frozen=True)
class GiveUp:
    """Not ever."""

    reason: str


@dataclass(frozen=True)
class Suppressed:
    """It must not be: consent is missing, or nobody is there."""

    reason: str


Result = Sent | Retry | GiveUp | Suppressed


State = Literal["waiting", "sending", "sent", "suppressed", "failed"]
FINAL: frozenset[State] = frozenset({"sent", "suppressed", "failed"})
ATTEMPTS_KEY = "a:"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """`action`: None once it is final, for then nobody needs it; of one sent, once that is noted. `attempts`: begun so far."""

    id: str
    state: State
    version: int
    attempts: int
    at_ms: int
    until_ms: int = 0
    reason: str = ""
    action: Action | None = None

    @property
    def is_untouched(self) -> bool:
        """Nobody has tried it; its timer may be missing."""
        return self.state == "waiting" and self.attempts == 0

    def encode(self) -> bytes:
        """JSON, as `decode` reads it; the id is the key's."""
        document = {
            **{"state": self.state, "version": self.version, "attempts": self.attempts, "at_ms": self.at_ms},
            **{"until_ms": self.until_ms, "reason": self.reason},
            "action": None if self.action is None else orjson.Fragment(self.action.encode()),
        }
        return orjson.dumps(document)

    @classmethod
    def decode(cls, id_: str, data: bytes) -> Self:
        """`encode` undone.

        Raises:
            StoreError: not a document of this kind.
        """
        try:
            document = orjson.loads(data)
            action = None if document["action"] is None else Action.decode(orjson.dumps(document["action"]))
            fields = {name: document[name] for name in ("state", "version", "attempts", "at_ms", "until_ms", "reason")}
            return cls(id=id_, action=action, **fields)
        except (ValueError, TypeError, KeyError, ActionError) as error:
            raise StoreError(f"actions: {id_} cannot be read, got {type(error).__name__}. It is left alone") from error


def first(action: Action, now_ms: int) -> Delivery:
    """The delivery of an action nobody has tried. `now_ms`: ms since 1970."""
    return Delivery(id=action.id, state="waiting", version=1, attempts=0, at_ms=now_ms, action=action)


def read(store: OnlineStore, id_: str) -> Delivery | None:
    """None when there is none, or it is forgotten."""
    (data,) = store.get([ATTEMPTS_KEY + id_])
    return None if data is None else Delivery.decode(id_, data)


def write(store: OnlineStore, delivery: Delivery) -> bool:
    """Whether it was ours to write."""
    return store.put([Document(ATTEMPTS_KEY + delivery.id, delivery.version, delivery.encode())]) == 1


def moved(
    delivery: Delivery, state: State, now_ms: int, *, until_ms: int = 0, reason: str = "", keeps_action: bool = False
) -> Delivery:
    """The next version. `keeps_action`: also where it is final."""
    return replace(
        delivery,
        state=state,
        version=delivery.version + 1,
        attempts=delivery.attempts + (state == "sending"),
        at_ms=now_ms,
        until_ms=until_ms,
        reason=reason,
        action=delivery.action if keeps_action or state not in FINAL else None,
    )


def forget(store: OnlineStore, delivery: Delivery) -> None:
    """Remove the document; an older version of it cannot come back."""
    store.put([Document(ATTEMPTS_KEY + delivery.id, delivery.version + 1, None)])
