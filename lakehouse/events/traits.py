"""Raw personal traits of an identify event: what matching reads. The one place where personal data is let through."""

import re
from collections.abc import Mapping
from typing import Any

from lakehouse.events.document import at, text_of
from lakehouse.events.remembered import Remembered

Traits = dict[str, str | None]
LOYALTY_TIER = "loyalty_tier"
_ADDRESS = {
    "street": ("street",),
    "city": ("city",),
    "region": ("region", "state"),
    "postal_code": ("postal_code", "postalCode"),
    "country": ("country",),
}
_APART = {"firstname": "first_name", "lastname": "last_name"}  # as RudderStack and HubSpot write them
_HUMP = re.compile("([a-z0-9])([A-Z])")
_BETWEEN = re.compile(r"[\s.-]++", re.ASCII)


def told_traits(message: Mapping[str, Any]) -> Traits | None:
    """The personal traits of an identify event: `traits`, and of one without them context.traits, where RudderStack's libraries put them.

    Its loyalty tier, without blanks around it, is heard in both.
    """
    said, beside = personal_traits(message.get("traits")), personal_traits(at(message, "context.traits")) or {}
    found = beside if said is None else said
    if LOYALTY_TIER not in found and LOYALTY_TIER in beside:
        found[LOYALTY_TIER] = beside[LOYALTY_TIER]
    if tier := found.get(LOYALTY_TIER):
        found[LOYALTY_TIER] = tier.strip(" ")
    return found or None


def personal_traits(sent: Any) -> Traits | None:
    """Trait name in snake_case -> value as sent, None where null was sent: it takes the trait back; None = no trait.

    Every scalar of `traits`, and the parts of traits.address; a part also sent at the top is taken from there. Of two
    names that are one in snake_case (firstName, first_name, firstname) the first by name wins.
    """
    if not isinstance(sent, Mapping):
        return None
    found: Traits = {}
    for name in sorted(sent):
        value = sent[name]
        if isinstance(value, dict | list):
            continue
        text = (
            None if value is None else (text_of(value) or "").replace("\0", "")
        )  # which no other reader of the tables could hold
        if text is None or text.strip(" "):
            words = snake_case(name)
            found.setdefault(_APART.get(words, words), text)
    address = sent.get("address")
    for name, places in _ADDRESS.items():
        if not isinstance(address, Mapping):
            break
        text = next((text for place in places if (text := text_of(address.get(place))) is not None), None)
        if text is not None and text.strip(" "):
            found.setdefault(name, text)
    return found or None


def snake_case(name: str) -> str:
    return _SNAKE_CASE[name]


_SNAKE_CASE = Remembered[str, str](lambda name: _BETWEEN.sub("_", _HUMP.sub(r"\1_\2", name.strip(" "))).lower())
