"""What became of one attempt."""

from dataclasses import dataclass


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
