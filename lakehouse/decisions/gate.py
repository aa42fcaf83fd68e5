"""The one gate: whatever is said to a person, or told of one, passes here, and what passed has a type of its own. Pure.

use        what leaves                                                 besides consent to its purpose, it is refused for
offer      an offer or a message: answer, push, letter, call, record   an arm without offers
products   a personal list of products                                 an arm that is shown what everybody likes
profile    what a profile says of a person beyond who they are

Nothing leaves by any use to somebody who is suppressed or held out, or of whom, or of whose rules and experiments, something cannot
be read: nobody knows then what they said. Every exit takes `Permitted` and nothing else, and only this module makes one; so
neither a new rung nor a new exit can go around it. Training asks the same of gold: lakehouse/training/consenting.py.
"""

from dataclasses import dataclass
from typing import Final, Generic, Literal, NoReturn, TypeVar, final

from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.circumstances import Circumstances
from lakehouse.decisions.offers import Purpose

Use = Literal["offer", "products", "profile"]
T = TypeVar("T")
U = TypeVar("U")


class _Seal:
    """Only this module has one."""


_SEAL: Final = _Seal()


@final
class Permitted(Generic[T]):
    """Something that may leave, about one person, for one purpose. Frozen.

    what: it. circumstances: of the person, as they were when it passed.
    """

    __slots__ = ("circumstances", "purpose", "what")
    what: T
    circumstances: Circumstances
    purpose: Purpose

    def __init__(self, what: T, circumstances: Circumstances, purpose: Purpose, seal: _Seal) -> None:
        if seal is not _SEAL:
            raise TypeError("Permitted: made by something else than the gate. Ask lakehouse.decisions.gate.permit")
        for name, value in (("what", what), ("circumstances", circumstances), ("purpose", purpose)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, _: object) -> NoReturn:
        raise AttributeError(f"Permitted: {name} cannot be changed. Ask the gate again")

    def put_as(self, form: U) -> "Permitted[U]":
        """The same thing in the form that leaves, such as a message or a letter; made from `what` and this person alone."""
        return Permitted(form, self.circumstances, self.purpose, _SEAL)


@dataclass(frozen=True, slots=True)
class Refused:
    """`reason`: why it must not leave, in words."""

    reason: str


def permit(what: T, circumstances: Circumstances, purpose: Purpose, use: Use = "offer") -> Permitted[T] | Refused:
    """Let it pass, or say why not."""
    reason = silence_of(circumstances, use)
    if reason is None and not circumstances.consent.get(purpose, False):
        is_declared = purpose in circumstances.consent or purpose in PURPOSES
        reason = (
            f"no consent to {purpose}" if is_declared else f"{purpose}: not among consent.purposes. Declare it in conf"
        )
    return Permitted(what, circumstances, purpose, _SEAL) if reason is None else Refused(reason)


def silence_of(circumstances: Circumstances, use: Use = "offer") -> str | None:
    """Why nothing at all may leave by this use, in words, whatever its purpose; None = something may.

    Caps, validity and what else speaks against one offer but not against another is eligibility's.
    """
    arms = circumstances.arms.values()
    if circumstances.visitor.is_suppressed:
        return "suppressed"
    if circumstances.held_out is not None or (use == "offer" and any(arm.offers == "none" for arm in arms)):
        return "held out of every offer by an experiment"
    if use == "products" and any(arm.recommendations == "popularity" for arm in arms):
        return "an experiment shows what everybody likes"
    if circumstances.visitor.missing:
        return "consent cannot be looked up"
    if circumstances.missing:
        return circumstances.missing[0]
    return None
