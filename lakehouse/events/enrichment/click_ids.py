"""Parameters by which advertising networks mark a click on their links.

Sources, each the network's own page on its click identifier: Google Ads (gclid, wbraid, gbraid), Campaign Manager (dclid), Merchant
Center (srsltid), Microsoft Advertising (msclkid), Meta (fbclid, igshid), TikTok (ttclid), X (twclid), LinkedIn (li_fat_id), Snapchat
(ScCid), Reddit (rdt_cid), Pinterest (epik), Yandex (yclid), Taboola (tblci), Outbrain (dicbo), Impact (irclickid), Awin (awc), Mailchimp
(mc_eid), Klaviyo (_kx).
"""

from collections.abc import Mapping
from typing import NamedTuple


class Click(NamedTuple):
    """Who marked the click, and what brought the visitor. is_campaign: whether somebody paid for it or sent it to a list.

    fbclid stands behind every link that leaves Facebook, an advertisement or not; so do igshid and srsltid.
    """

    name: str
    source: str
    medium: str
    is_campaign: bool = True


# What says most comes first: a link may carry several.
_CLICKS = (
    Click("gclid", "google", "cpc"),
    Click("wbraid", "google", "cpc"),
    Click("gbraid", "google", "cpc"),
    Click("dclid", "google", "display"),
    Click("msclkid", "bing", "cpc"),
    Click("yclid", "yandex", "cpc"),
    Click("ttclid", "tiktok", "cpc"),
    Click("twclid", "twitter", "cpc"),
    Click("li_fat_id", "linkedin", "cpc"),
    Click("sccid", "snapchat", "cpc"),
    Click("rdt_cid", "reddit", "cpc"),
    Click("epik", "pinterest", "cpc"),
    Click("tblci", "taboola", "cpc"),
    Click("dicbo", "outbrain", "cpc"),
    Click("irclickid", "impact", "affiliate"),
    Click("awc", "awin", "affiliate"),
    Click("mc_eid", "mailchimp", "email"),
    Click("_kx", "klaviyo", "email"),
    Click("igshid", "instagram", "social", is_campaign=False),
    Click("fbclid", "facebook", "social", is_campaign=False),
    Click("srsltid", "google", "organic", is_campaign=False),
)


def click(parameters: Mapping[str, str]) -> Click | None:
    """The click that a link's parameters (names in lower case) tell of; None = none."""
    return next((one for one in _CLICKS if one.name in parameters), None)
