"""What a user agent says of the device: by ua-parser (Apache-2.0), the uap-core project's list. Whether it is a crawler's: bots.py."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

import ua_parser

DESKTOP, MOBILE, TABLET, TV, CONSOLE, OTHER = "desktop", "mobile", "tablet", "tv", "console", "other"
_REMEMBERED = 50_000
_LONGEST = 1_000  # characters of a user agent that are looked at
_CONSOLE = re.compile(r"PlayStation|Xbox|Nintendo", re.IGNORECASE)
_TV = re.compile(
    r"Smart-?TV|Apple ?TV|Android ?TV|Google ?TV|HbbTV|NetCast|Web0S|BRAVIA|\bAFT[A-Z]|CrKey|Roku|\bDTV|; ?TV\b|\bTV Safari",
    re.IGNORECASE,
)
_TABLET = re.compile(r"iPad|Tablet|Kindle|\bSilk/|PlayBook", re.IGNORECASE)
_MOBILE_SYSTEMS = frozenset({"ios", "windows phone", "blackberry os", "kaios", "symbian os", "harmonyos", "firefox os"})
_DESKTOP_SYSTEMS = (
    "windows",
    "mac os",
    "macos",
    "linux",
    "ubuntu",
    "chrome os",
    "chromeos",
    "fedora",
    "debian",
    "freebsd",
    "openbsd",
)


class Agent(NamedTuple):
    """device_class: one of the constants here. os, browser: families, None = not told."""

    device_class: str
    os: str | None
    browser: str | None


@lru_cache(maxsize=_REMEMBERED)
def agent(user_agent: str | None, system: str | None = None) -> Agent | None:
    """`system`: what an app says of its operating system; counts where the user agent does not tell. None = nothing was sent.

    Everything but a crawler's own name is read from the text alone, so the answer is remembered.
    """
    if not user_agent and not system:
        return None
    text = (user_agent or "")[:_LONGEST]
    found = _resolver()(text, ua_parser.Domain.USER_AGENT | ua_parser.Domain.OS)
    os = found.os.family if found.os else system or None
    return Agent(_device_class(text, (os or "").lower()), os, found.user_agent.family if found.user_agent else None)


def _device_class(text: str, os: str) -> str:
    """Of Android's devices those without `Mobile` in the user agent are tablets, as Google tells makers to write it."""
    if _CONSOLE.search(text):
        return CONSOLE
    if _TV.search(text) or os == "tvos":
        return TV
    if _TABLET.search(text) or os == "ipados":
        return TABLET
    if os == "android":
        return TABLET if text.startswith("Mozilla/") and "Mobile" not in text else MOBILE
    if os in _MOBILE_SYSTEMS or "Mobi" in text:
        return MOBILE
    return DESKTOP if os.startswith(_DESKTOP_SYSTEMS) else OTHER


@cache
def _resolver() -> ua_parser.Resolver:
    """The list, compiled: 0.2 s and 30 MB, where nothing is read nothing is paid."""
    return ua_parser.BestAvailableResolver(ua_parser.load_builtins())
