"""What people shop with: browsers, phone apps, store kiosks, and the bots that look like browsers."""

from dataclasses import dataclass
from random import Random

from lakehouse.demo.shop.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

OFFLINE = 0.06  # share of app visits without network; their events come up to five days late


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `context` is its part of the message's context as JSON, without braces."""

    channel: str  # web, mobile or kiosk
    device_id: str | None  # null: a browser
    anonymous_id: str
    context: str
    skew_ms: int  # the device's clock less the true time


_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
_BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "python-requests/2.32.3",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/139.0",
)
_WEB_LIBRARY = '"library":{"name":"analytics.js","version":"2.11.1"}'
_APPS = (("ios", "analytics-swift", "Shop/4.2 iOS/18.5"), ("android", "analytics-kotlin", "Shop/4.2 Android/15"))


def uuid(rng: Random) -> str:
    """A uuid-like text from the generator's bits."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def browser(rng: Random) -> Device:
    agent = _BROWSERS[int(rng.random() * len(_BROWSERS))]
    return Device("web", None, uuid(rng), f'{_WEB_LIBRARY},"userAgent":"{agent}"', _skew(rng))


def app(rng: Random) -> Device:
    system, library, agent = _APPS[int(rng.random() * len(_APPS))]
    device_id = uuid(rng)
    return Device("mobile", device_id, uuid(rng), _app_context(system, library, agent, device_id), _skew(rng))


def kiosk(rng: Random, number: int) -> Device:
    """A store's kiosk: one device id for everybody, a new anonymousId for every visit."""
    device_id = f"kiosk-{number:02d}-{rng.getrandbits(32):08x}"
    context = _app_context("android", "analytics-kotlin", "ShopKiosk/1.3 Android/13", device_id)
    return Device("kiosk", device_id, uuid(rng), context, 0)


def bot(rng: Random) -> Device:
    agent = _BOTS[int(rng.random() * len(_BOTS))]
    return Device("web", None, uuid(rng), f'{_WEB_LIBRARY},"userAgent":"{agent}"', 0)


def _app_context(system: str, library: str, agent: str, device_id: str) -> str:
    device = f'"device":{{"id":"{device_id}","type":"{system}"}}'
    return f'"library":{{"name":"{library}","version":"1.6.2"}},"userAgent":"{agent}",{device}'


def _skew(rng: Random) -> int:
    """How far a clock is off, milliseconds: mostly seconds, some minutes, few days, rarely years (a dead battery)."""
    luck = rng.random()
    sign = 1 if rng.random() < 0.5 else -1
    if luck < 0.88:
        return sign * int(rng.random() * 2 * SECOND_MS)
    if luck < 0.965:
        return sign * int(rng.random() * 30 * MINUTE_MS)
    if luck < 0.997:
        return sign * int(rng.random() * 72 * HOUR_MS)
    return -11 * 365 * DAY_MS
