"""Which moments there are: `conf/moments.yaml` as frozen values."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lakehouse.config.declarations import (
    DAY_MS,
    Acting,
    Declared,
    Duration,
    Name,
    Valid,
    checked,
    read_document,
    refuse,
)
from lakehouse.config.limits import PURPOSES
from lakehouse.decisions.offers import DeclaredPurpose, Offer

Kind = Literal["abandoned_cart", "abandoned_browse", "high_engagement", "first_purchase_follow_up", "lapse"]

VIEWED, ADDED, REMOVED, ORDERED = "Product Viewed", "Product Added", "Product Removed", "Order Completed"
MOST_VIEWS = 32  # what is kept of a visitor's views is bounded: lakehouse/moments/state.py
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


class Definition(Acting, Valid):
    """One moment. Durations in milliseconds.

    after: from the last trigger until it is due. window, min_views: high_engagement is due when so many views lie within so
    long; abandoned_browse needs min_views, too. cancelled_by: events that end an episode; None = those of its kind.
    not_again_within: between two of one person.
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
    purpose: DeclaredPurpose = "marketing"
    destinations: tuple[Name, ...] = Field(min_length=1, max_length=8)
    priority: int = Field(default=0, ge=-1000, le=1000)
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
        """Names of the events that begin or prolong an episode."""
        return _TRIGGERS[self.kind]

    @property
    def cancels(self) -> frozenset[str]:
        """Names of the events that end an episode; no trigger is among them."""
        own = _CANCELLED_BY[self.kind] if self.cancelled_by is None else self.cancelled_by
        return frozenset(own).difference(self.triggers)


class Definitions(Declared):
    """All of them, those of highest priority first."""

    all: tuple[Definition, ...]

    @property
    def events(self) -> frozenset[str]:
        """Names of the events that matter to any."""
        return frozenset(name for moment in self.all for name in (*moment.triggers, *moment.cancels))

    @property
    def keep_ms(self) -> int:
        """How long after its newest fact a visitor can still matter."""
        lengths = (
            max(moment.after, moment.window or 0) + moment.valid_for + moment.not_again_within for moment in self.all
        )
        return max(lengths, default=0) + DAY_MS


def read_moments(
    path: Path,
    *,
    offers: Mapping[str, Offer] | None = None,
    destinations: Collection[str] | None = None,
    purposes: Collection[str] = PURPOSES,
) -> Definitions:
    """Read and check the file. `offers`, `destinations`: what a moment may name; None = any. `purposes`: consent.purposes.

    Raises:
        ConfigError: one line for every fault found, with its place.
    """
    faults: list[str] = []
    place = f"{path.name}: moments"
    moments = []
    told = read_document(path, "moments").get("moments")
    for number, moment in checked(told, Definition, place, faults, purposes=purposes):
        moments.append(moment)
        if offers is not None and moment.offer is not None and moment.offer not in offers:
            faults.append(
                f"{place}[{number}].offer: no offer '{moment.offer}', expected one of {', '.join(sorted(offers))}"
            )
        faults += moment.unknown(f"{place}[{number}]", destinations)
    refuse(faults)
    enabled = [moment for moment in moments if moment.is_enabled]
    return Definitions(all=tuple(sorted(enabled, key=lambda moment: (-moment.priority, moment.name))))
