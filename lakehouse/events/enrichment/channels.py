"""The channel that a visit came by: the default channel grouping of Google Analytics 4.

Source: https://support.google.com/analytics/answer/9756891 (manual traffic). The first that holds wins; letters may be capital or not. Google's
lists of sites are not published whole; ours are traffic_sources.py.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from lakehouse.events.enrichment.traffic_sources import SEARCH, SHOPPING, SOCIAL, VIDEO

DIRECT, UNASSIGNED = "Direct", "Unassigned"
_PAID = re.compile(r"(.*cp.*|ppc|retargeting|paid.*)\Z", re.DOTALL)
_SHOP = re.compile(r".*(([^a-df-z]|\A)shop|shopping)", re.DOTALL)
_DISPLAY = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_EMAIL = frozenset({"email", "e-mail", "e_mail", "e mail"})
_REFERRAL = frozenset({"referral", "app", "link"})


class _Came(NamedTuple):
    """All but kind in lower case, "" = not told. kind: of the source, see traffic_sources.py."""

    source: str
    medium: str
    campaign: str
    kind: str | None

    @property
    def is_paid(self) -> bool:
        return _PAID.match(self.medium) is not None

    @property
    def is_shopping(self) -> bool:
        return self.kind == SHOPPING or _SHOP.match(self.campaign) is not None


_CHANNELS: tuple[tuple[str, Callable[[_Came], bool]], ...] = (
    (DIRECT, lambda came: came.source == "(direct)" and came.medium in ("", "(not set)", "(none)")),
    ("Cross-network", lambda came: "cross-network" in came.campaign),
    ("Paid Shopping", lambda came: came.is_shopping and came.is_paid),
    ("Paid Search", lambda came: came.kind == SEARCH and came.is_paid),
    ("Paid Social", lambda came: came.kind == SOCIAL and came.is_paid),
    ("Paid Video", lambda came: came.kind == VIDEO and came.is_paid),
    ("Display", lambda came: came.medium in _DISPLAY),
    ("Paid Other", lambda came: came.is_paid),
    ("Organic Shopping", lambda came: came.is_shopping),
    ("Organic Social", lambda came: came.kind == SOCIAL or came.medium in _SOCIAL),
    ("Organic Video", lambda came: came.kind == VIDEO or "video" in came.medium),
    ("Organic Search", lambda came: came.kind == SEARCH or came.medium == "organic"),
    ("Referral", lambda came: came.medium in _REFERRAL),
    ("Email", lambda came: came.source in _EMAIL or came.medium in _EMAIL),
    ("Affiliates", lambda came: came.medium == "affiliate"),
    ("Audio", lambda came: came.medium == "audio"),
    ("SMS", lambda came: "sms" in (came.source, came.medium)),
    (
        "Mobile Push Notifications",
        lambda came: (
            came.medium.endswith("push")
            or "mobile" in came.medium
            or "notification" in came.medium
            or came.source == "firebase"
        ),
    ),
)


def channel(source: str | None, medium: str | None, campaign: str | None, kind: str | None) -> str:
    """`kind`: of the source, see traffic_sources.py. What fits no channel is UNASSIGNED."""
    came = _Came((source or "").lower(), (medium or "").lower(), (campaign or "").lower(), kind)
    return next((name for name, holds in _CHANNELS if holds(came)), UNASSIGNED)
