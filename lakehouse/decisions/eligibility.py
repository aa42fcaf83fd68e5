"""Which offers may be made at all: validity, audience, tier, caps, quiet hours, stock. In that order. Consent is the gate's. Pure."""

from lakehouse.decisions.circumstances import Circumstances
from lakehouse.decisions.exposures import offer_cap
from lakehouse.decisions.offers import INTERRUPTING, Catalogue, Offer


def refusal(offer: Offer, catalogue: Catalogue, circumstances: Circumstances, *, channel: str | None) -> str | None:
    """Why the offer may not be made, in words; None when it may.

    `channel` None: where it is said was declared, and quiet hours are waited for, not decided on. Quiet hours are of the person's own
    day, and of the offer's zone where nobody knows theirs.
    """
    now, context = circumstances.now, circumstances.context
    if offer.valid_from is not None and now < offer.valid_from:
        return f"not valid before {offer.valid_from:%Y-%m-%d %H:%M} UTC"
    if offer.valid_to is not None and now >= offer.valid_to:
        return f"not valid since {offer.valid_to:%Y-%m-%d %H:%M} UTC"
    if channel is not None and channel not in offer.channels:
        return f"not for channel {channel}, only {', '.join(offer.channels)}"
    if offer.quiet_hours is not None and channel in INTERRUPTING:
        quiet = offer.quiet_hours.in_zone(circumstances.visitor.zone)
        if quiet.hold(now):
            return f"quiet hours {quiet.start:%H:%M} to {quiet.end:%H:%M} {quiet.zone}"
    if offer.tiers and context.get("loyalty_tier") not in offer.tiers:
        return f"loyalty tier is {context.get('loyalty_tier') or 'none'}, not {' or '.join(offer.tiers)}"
    if not catalogue.is_for(offer, context):
        return f"not for this person: {offer.when}"
    if offer.products and all(product in circumstances.unavailable for product in offer.products):
        return "none of its products is available"
    return offer_cap(offer, circumstances.shown, now)
