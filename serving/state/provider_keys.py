"""The public keys of an identity provider (RFC 7517), followed while the service runs: read by one task, never by a request.

The rule of its failures. What cannot be read, or is no set of keys, changes nothing: the keys of before stay in force for KEPT_SECONDS after
the last reading that went well, and the provider is asked again every PAUSE_SECONDS. After that, and before the first reading, nobody can
say whose a token is; nor whether a key that nobody knows is a new one, as long as the last reading failed. Callers are told 503 then, and
when to come again. A key that is not in the set of a reading that went well opens nothing any more: 401.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import orjson
import requests

from lakehouse.config.keys import Key
from lakehouse.errors import StitchlakeError
from serving.state.fetched_bytes import fetched_bytes

log = logging.getLogger("stitchlake.serving")
KEPT_SECONDS = 3_600.0
PAUSE_SECONDS = 10.0  # at least between two readings, however many tokens name a key that nobody knows
_FRESH_SECONDS = 300.0  # at most
_FETCH_SECONDS = 5.0  # until an answer begins, and again until all of it is there
_MOST_BYTES = 1_000_000


class Unconfirmed(StitchlakeError):
    """The provider cannot be asked whose a token is. To be sent again in PAUSE_SECONDS."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """Keys by their ids; a single one also without. believed: tokens they have checked, by digest: what each may do, and when it ends.

    Both change together: a token that a key has checked is not believed longer than the key.
    """

    keys: Mapping[str | None, jwt.PyJWK]
    believed: OrderedDict[bytes, tuple[Key, int]] = field(default_factory=OrderedDict)


class ProviderKeys:
    """`place`: an address or a file. `fetch`: the bytes there; raises OSError. `clock`: seconds that only grow."""

    def __init__(self, place: str, fetch: Callable[[str], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._fetch = fetch
        self._clock = clock
        self._content = b""
        self._trusted: Trusted | None = None
        self._read_at = 0.0
        self._has_failed = False
        self._wanted = asyncio.Event()

    @property
    def trusted(self) -> Trusted:
        """What is in force. Raises Unconfirmed: nothing is."""
        trusted = self._trusted
        if trusted is None or self._clock() - self._read_at > KEPT_SECONDS:
            raise Unconfirmed(
                "token: the identity provider does not tell its keys, expected them at oauth.jwks. Send it again later"
            )
        return trusted

    def lacks(self) -> None:
        """A token names a key that is not there: the provider is asked soon. Raises Unconfirmed: it may be a new one that could not be read."""
        self._wanted.set()
        if self._has_failed:
            raise Unconfirmed(
                "token: names a key that is not known, and oauth.jwks cannot be read now. Send it again later"
            )

    def look(self) -> None:
        """Read them. Never raises; what is wrong is told in the log."""
        try:
            content = self._fetch(self._place)
            if content != self._content or self._trusted is None:
                self._trusted = Trusted(_public_keys(orjson.loads(content)))
                self._content = content
        except (OSError, ValueError) as error:
            self._has_failed = True
            log.warning("oauth.jwks: %s cannot be read, got %s, expected a JSON Web Key Set", self._place, error)
        else:
            self._read_at, self._has_failed = self._clock(), False

    async def follow(self) -> None:
        """Look again and again, until cancelled: sooner when a key is lacking, or when it could not be read."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            if not self._has_failed:
                try:
                    async with asyncio.timeout(_FRESH_SECONDS - PAUSE_SECONDS):
                        await self._wanted.wait()
                except TimeoutError:
                    pass
            self._wanted.clear()
            await asyncio.to_thread(self.look)


def fetched(place: str) -> bytes:
    """A file, or what is at an address. No redirect is followed.

    Raises:
        OSError: it cannot be read now, or not in time, or is more than keys are.
    """
    if "://" not in place:
        return Path(place).read_bytes()
    with requests.get(place, timeout=_FETCH_SECONDS, allow_redirects=False, stream=True) as answer:
        if answer.status_code != 200:
            raise OSError(f"status {answer.status_code}")
        return fetched_bytes(answer.raw, most_bytes=_MOST_BYTES, seconds=_FETCH_SECONDS)


def _public_keys(document: Any) -> Mapping[str | None, jwt.PyJWK]:
    """By id; the only one also without. One that is none, or of a kind that nobody here reads, is passed over.

    So is a secret among them, shared or the private half of a pair: whoever reads it could sign by it.

    Raises:
        ValueError: not one is left.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no list of keys")
    told = [one for one in document["keys"] if isinstance(one, dict) and one.get("use", "sig") == "sig"]
    read = [_public_key(one) for one in told if one.get("kty") != "oct" and "d" not in one]
    keys: dict[str | None, jwt.PyJWK] = {key.key_id: key for key in read if key is not None}
    if not keys:
        raise ValueError("no public key among them that can be read")
    return keys | {None: next(iter(keys.values()))} if len(keys) == 1 else keys


def _public_key(told: dict[str, Any]) -> jwt.PyJWK | None:
    if not isinstance(told.get("kid", ""), str):
        return None
    try:
        return jwt.PyJWK(told)
    except Exception:  # whatever the library makes of a field of another type: one odd key costs nobody the others
        return None
