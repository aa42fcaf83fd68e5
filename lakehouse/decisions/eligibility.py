"""Which offers may be made at all: consent, validity, audience, tier, caps, quiet hours, stock. In that order."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from lakehouse.decisions.exposures import Shown, offer_cap
from lakehouse.decisions.offers import INTERRUPTING, Catalogue, Offer


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What eligibility looks at. `consent`: purpose -> word.

    `channel` None: where it is said was declared, and quiet hours are waited for, not decided on.
    """

    now: datetime
    channel: str | None
    context: Mapping[str, object]
    shown: Shown
    unavailable: Set[str]
    consent: Mapping[str, bool]


def refusal(offer: Offer, catalogue: Catalogue, seen: Circumstances) -> str | None:
    """Why the offer may not be made, in words; None when it may."""
    if not seen.consent.get(offer.purpose, False):
        return f"no consent to {offer.purpose}"
    if offer.valid_from is not None and seen.now < offer.valid_from:
        return f"not valid before {offer.valid_from:%Y-%m-%d %H:%M} UTC"
    if offer.valid_to is not None and seen.now >= offer.valid_to:
        return f"not valid since {offer.valid_to:%Y-%m-%d %H:%M} UTC"
    if seen.channel is not None and seen.channel not in offer.channels:
        return f"not for channel {seen.channel}, only {', '.join(offer.channels)}"
    if offer.quiet_hours is not None and seen.channel in INTERRUPTING and offer.quiet_hours.hold(seen.now):
        return f"quiet hours {offer.quiet_hours.start:%H:%M} to {offer.quiet_hours.end:%H:%M} {offer.quiet_hours.zone}"
    if offer.tiers and seen.context.get("loyalty_tier") not in offer.tiers:
        return f"loyalty tier is {seen.context.get('loyalty_tier') or 'none'}, not {' or '.join(offer.tiers)}"
    if not catalogue.is_for(offer, seen.context):
        return f"not for this person: {offer.when}"
    if offer.products and all(product in seen.unavailable for product in offer.products):
        return "none of its products is available"
    return offer_cap(offer, seen.shown, seen.now)
