"""One action: what is to be said to whom, through which destination. The messages of actions.topic."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lakehouse.decisions.offers import Purpose
from lakehouse.errors import ActionError
from lakehouse.events.identifier import Identifier

MOST_BYTES = 65_536


class Action(BaseModel):
    """`identifiers`: tokens; no personal value is ever queued. Times in ms since 1970. `detail`: for templates and webhooks.

    `event`: what set off a rule, in the vocabulary of rules, and `occurred_ms`; a moment has none.
    A decision has one action for each destination: (decision_id, destination) is what happens once.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    decision_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    destination: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    cause: Literal["moment", "rule"]
    name: str = Field(max_length=64)
    identifiers: tuple[Identifier, ...] = Field(min_length=1, max_length=64)
    purpose: Purpose
    offer: str | None = None
    items: tuple[str, ...] = Field(default=(), max_length=100)
    template: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    respects_quiet_hours: bool = True
    created_ms: int = Field(ge=0, lt=2**53)
    expires_ms: int = Field(ge=0, lt=2**53)
    detail: Mapping[str, Any] = {}
    event: Mapping[str, Any] | None = None

    def context(self) -> dict[str, Any] | None:
        """What set it off, as a decision's context takes it; None for a moment."""
        if self.event is None:
            return None
        said = {name: value for name, value in self.event.items() if name != "occurred_ms"}
        at_ms = self.event.get("occurred_ms", self.created_ms)
        return said | {"occurred_at": datetime.fromtimestamp(at_ms / 1000, UTC)}

    @property
    def id(self) -> str:
        """What happens once: `<decision_id>:<destination>`."""
        return f"{self.decision_id}:{self.destination}"

    def encode(self) -> bytes:
        """JSON, as `decode` reads it."""
        return orjson.dumps(self.model_dump())

    @classmethod
    def decode(cls, data: bytes | None) -> Self:
        """`encode` undone.

        Raises:
            ActionError: it is something else. Tells where, never what: it may be personal.
        """
        try:
            if data is None or len(data) > MOST_BYTES:
                raise ActionError(f"action: got {len(data or b'')} bytes, expected 1 to {MOST_BYTES}. Mend the sender")
            return cls.model_validate(orjson.loads(data))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise ActionError(f"action: {where}: {fault['msg']}. Mend the sender") from None
        except (ValueError, RecursionError) as error:
            raise ActionError(
                f"action: no JSON ({type(error).__name__}), expected one object. Mend the sender"
            ) from None
