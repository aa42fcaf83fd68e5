"""Which moments there are: `conf/moments.yaml` as frozen values."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lakehouse.decisions.offers import Offer, Purpose
from lakehouse.declarations import Declared, Name, Valid, checked, read_document, refuse

Kind = Literal["abandoned_cart", "abandoned_browse", "high_engagement", "first_purchase_follow_up", "lapse"]

VIEWED, ADDED, REMOVED, ORDERED = "Product Viewed", "Product Added", "Product Removed", "Order Completed"
MOST_VIEWS = 32  # what is kept of a visitor's views is bounded: lakehouse/moments/state.py
_MOST_MS = 400 * 86_400_000
_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d{1,6}) ?(ms|s|min|h|d)")
_TRIGGERS: Mapping[Kind, tuple[str, ...]] = {
    "abandoned_cart": (ADDED, REMOVED),
    "abandoned_browse": (VIEWED,),
    "high_engagement": (VIEWED,),
    "first_purchase_follow_up": (ORDERED,),
    "lapse": (ORDERED,),
}
_CANCELLED_BY: Mapping[Kind, tuple[str, ...]] = {
    "abandoned_cart": (ORDERED,),
    "abandoned_browse": (ADDED, ORDERED),
    "high_engagement": (ORDERED,),
    "first_purchase_follow_up": ("Order Cancelled", "Order Refunded"),
    "lapse": (),
}


def _milliseconds(sent: Any) -> int:
    found = _DURATION.fullmatch(sent.strip()) if isinstance(sent, str) else None
    if found is None or (length := int(found[1]) * _UNITS[found[2]]) > _MOST_MS:
        raise ValueError(
            f"got {str(sent)[:40]!r}, expected a length of time up to 400 d, such as 90 s, 45 min, 1 h, 30 d"
        )
    return length


Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Milliseconds, written as text with a unit."""


class Definition(Valid):
    """One moment. Durations in milliseconds.

    after: from the last trigger until it is due. window, min_views: high_engagement is due when so many views lie within so
    long; abandoned_browse needs min_views, too. cancelled_by: events that end an episode; None = those of its kind.
    valid_for: how long after it is due anybody still wants to hear of it. not_again_within: between two of one person.
    """

    name: Name
    owner: str
    description: str = ""
    kind: Kind
    after: Duration
    window: Duration | None = None
    min_views: int = Field(default=1, ge=1, le=MOST_VIEWS)
    cancelled_by: tuple[str, ...] | None = None
    offer: Name | None = None
    purpose: Purpose = "marketing"
    destinations: tuple[Name, ...] = Field(min_length=1, max_length=8)
    template: Name | None = None
    priority: int = Field(default=0, ge=-1000, le=1000)
    respects_quiet_hours: bool = True
    valid_for: Duration = 86_400_000
    not_again_within: Duration = 0
    is_enabled: bool = True

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        is_engagement = self.kind == "high_engagement"
        if is_engagement and (self.window is None or self.min_views < 2):
            raise ValueError("high_engagement: expected a window, and min_views of 2 or more")
        if not is_engagement and self.window is not None:
            raise ValueError(f"window: {self.kind} has none, expected it with high_engagement only")
        if not is_engagement and self.after == 0:
            raise ValueError(f"after: {self.kind} is due at once, expected some time")
        if self.min_views > 1 and VIEWED not in self.triggers:
            raise ValueError(f"min_views: {self.kind} counts no views")
        return self

    @property
    def triggers(self) -> tuple[str, ...]:
        return _TRIGGERS[self.kind]

    @property
    def cancels(self) -> frozenset[str]:
        own = _CANCELLED_BY[self.kind] if self.cancelled_by is None else self.cancelled_by
        return frozenset(own).difference(self.triggers)


class Definitions(Declared):
    """All of them, those of highest priority first."""

    all: tuple[Definition, ...]

    @property
    def events(self) -> frozenset[str]:
        """Names of the events that matter to any."""
        return frozenset(name for one in self.all for name in (*one.triggers, *one.cancels))

    @property
    def keep_ms(self) -> int:
        """How long after its newest fact a visitor can still matter."""
        lengths = (max(one.after, one.window or 0) + one.valid_for + one.not_again_within for one in self.all)
        return max(lengths, default=0) + _UNITS["d"]


def read_moments(
    path: Path, *, offers: Mapping[str, Offer] | None = None, destinations: Collection[str] | None = None
) -> Definitions:
    """Read and check the file. `offers`, `destinations`: what a moment may name; None = any.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    place = f"{path.name}: moments"
    found = []
    for number, one in checked(read_document(path, "moments").get("moments"), Definition, place, faults):
        found.append(one)
        if offers is not None and one.offer is not None and one.offer not in offers:
            faults.append(
                f"{place}[{number}].offer: no offer '{one.offer}', expected one of {', '.join(sorted(offers))}"
            )
        unknown = [] if destinations is None else [name for name in one.destinations if name not in destinations]
        if destinations is not None and unknown:
            known = ", ".join(sorted(destinations)) or "none that is declared"
            faults.append(f"{place}[{number}].destinations: no destination '{unknown[0]}', expected one of {known}")
    refuse(faults)
    enabled = [one for one in found if one.is_enabled]
    return Definitions(all=tuple(sorted(enabled, key=lambda one: (-one.priority, one.name))))
