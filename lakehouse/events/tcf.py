"""The core of a TC string, version 2, of the IAB's Transparency and Consent Framework: what somebody consented to in a consent tool.

The fields lie at fixed bits. Only those are read that say what was consented to and by which texts; what vendors may is of no use to a shop that asks
for itself. Source: https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework/blob/master/TCFv2/IAB%20Tech%20Lab%20-%20Consent%20string%20and%20vendor%20list%20formats%20v2.md
"""

import base64
import binascii
import re
from typing import NamedTuple

_BASE64 = re.compile(r"[A-Za-z0-9_-]+\Z")
_CORE_BITS = 213  # up to publisherCC
_VERSION, _LIST, _POLICY, _PURPOSES, _ONE = (0, 6), (120, 12), (132, 6), (152, 24), (200, 1)
_PURPOSE_ONE = 1


class TcString(NamedTuple):
    """purposes: numbers of those consented to. text_version: of the policy and the vendor list, which the person saw the texts of.

    asks_for_purpose_one: false where the publisher's law does not want that asked for.
    """

    purposes: frozenset[int]
    text_version: str
    asks_for_purpose_one: bool

    def allows(self, needed: tuple[int, ...]) -> bool:
        """Whether every one of the purposes is consented to."""
        asked = (one for one in needed if self.asks_for_purpose_one or one != _PURPOSE_ONE)
        return self.purposes.issuperset(asked)


def decode(text: str) -> TcString | None:
    """None for what is no TC string of version 2. Segments after the core are not read."""
    core = text.strip().split(".", 1)[0]
    if not _BASE64.match(core):
        return None
    try:
        data = base64.urlsafe_b64decode(core + "=" * (-len(core) % 4))
    except (binascii.Error, ValueError):
        return None
    size, bits = 8 * len(data), int.from_bytes(data)
    if size < _CORE_BITS:
        return None

    def field(place: tuple[int, int]) -> int:
        start, length = place
        return (bits >> (size - start - length)) & ((1 << length) - 1)

    if field(_VERSION) != 2:
        return None
    said = field(_PURPOSES)
    purposes = frozenset(number for number in range(1, 25) if said >> (24 - number) & 1)
    return TcString(purposes, f"tcf {field(_POLICY)}, vendor list {field(_LIST)}", not field(_ONE))
