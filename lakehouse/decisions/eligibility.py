"""Which offers may be made at all: consent, validity, audience, tier, caps, quiet hours, stock. In that order."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.decisions.offers import INTERRUPTING, Catalogue, Offer
from lakehouse.declarations import Caps

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What eligibility looks at. `shown`: offer -> when it was shown to the person; `consent`: purpose -> word."""

    now: datetime
    channel: str
    context: Mapping[str, object]
    shown: Mapping[str, Sequence[datetime]]
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
    if seen.channel not in offer.channels:
        return f"not for channel {seen.channel}, only {', '.join(offer.channels)}"
    if offer.quiet_hours is not None and seen.channel in INTERRUPTING and offer.quiet_hours.hold(seen.now):
        return f"quiet hours {offer.quiet_hours.start:%H:%M} to {offer.quiet_hours.end:%H:%M} {offer.quiet_hours.zone}"
    if offer.tiers and seen.context.get("loyalty_tier") not in offer.tiers:
        return f"loyalty tier is {seen.context.get('loyalty_tier') or 'none'}, not {' or '.join(offer.tiers)}"
    if not catalogue.is_for(offer, seen.context):
        return f"not for this person: {offer.when}"
    if offer.products and all(product in seen.unavailable for product in offer.products):
        return "none of its products is available"
    return cap_reached(offer.caps, seen.shown.get(offer.name, ()), seen.now)


def cap_reached(caps: Caps, shown: Sequence[datetime], now: datetime) -> str | None:
    """Which cap the times shown reach, in words; None = none. What lies ahead of `now` counts: a clock may jump."""
    if caps.lifetime is not None and len(shown) >= caps.lifetime:
        return f"shown {len(shown)} times, at most {caps.lifetime}"
    for most, window, word in ((caps.per_day, DAY, "24 hours"), (caps.per_week, WEEK, "7 days")):
        if most is not None:
            count = sum(at > now - window for at in shown)
            if count >= most:
                return f"shown {count} times in {word}, at most {most}"
    return None
