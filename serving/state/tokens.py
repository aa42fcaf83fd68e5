"""Bearer tokens beside keys: JWTs (RFC 9068) that an identity provider signs for this service, checked by its public keys.

What a token is signed by is fixed here and never taken from the token alone: `none` and shared secrets are no choice at all. Which roles mean
which scopes is in lakehouse/config/keys.py. Nothing of a token is kept or told but a hash of whose it is.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jwt
import orjson
import requests

from lakehouse.config.keys import ROLES, SCOPES, Key
from lakehouse.config.sections import OauthConfig
from lakehouse.errors import StitchlakeError

log = logging.getLogger("stitchlake.serving")
_LEEWAY_SECONDS = 30.0  # by which clocks may differ
_FRESH_SECONDS = 300.0  # between two looks at the provider's keys
_PAUSE_SECONDS = 10.0  # at least, however many tokens name a key that nobody knows
_FETCH_SECONDS = 5.0
_MOST_BYTES = 1_000_000  # of all its keys
_MOST_TOKEN_BYTES = 8_192
_MOST_KNOWN = 2_000  # tokens whose signature need not be checked again
_REQUIRED = ("exp", "iss", "aud", "sub")
_WHY: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "has ended, expected one that holds"),
    (jwt.ImmatureSignatureError, "holds only later, expected one that holds"),
    (jwt.InvalidAudienceError, "is for another service, expected oauth.audience as aud"),
    (jwt.InvalidIssuerError, "is of another issuer, expected oauth.issuer as iss"),
    (jwt.MissingRequiredClaimError, f"lacks a claim, expected {', '.join(_REQUIRED)}"),
    (jwt.InvalidAlgorithmError, "is signed otherwise, expected one of oauth.algorithms"),
)


class Untrusted(StitchlakeError):
    """A token that opens nothing: why, and nothing of what it says."""


class Tokens:
    """`fetch`: the bytes at `oauth.jwks`. Nothing is believed before the first `look`."""

    def __init__(self, config: OauthConfig, fetch: Callable[[str], bytes]) -> None:
        self._config = config
        self._fetch = fetch
        self._content = b""
        self._keys: Mapping[str | None, jwt.PyJWK] = {}
        self._known: OrderedDict[bytes, tuple[Key, float]] = OrderedDict()
        self._wanted = asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Whether tokens are taken."""
        return bool(self._config.issuer)

    def look(self) -> None:
        """Read the provider's keys. Where they cannot be read, those of before stay in force, and it is told."""
        if not self.is_on:
            return
        try:
            content = self._fetch(self._config.jwks)
            if content != self._content:
                self._keys = _public_keys(orjson.loads(content))
                self._content = content
                self._known.clear()
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("oauth.jwks: %s cannot be read, got %s, expected a JSON Web Key Set", self._config.jwks, error)

    async def follow(self) -> None:
        """Look again and again; sooner when a token names a key that is not known. Until cancelled."""
        while self.is_on:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                async with asyncio.timeout(_FRESH_SECONDS - _PAUSE_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await asyncio.to_thread(self.look)

    def holder(self, token: str, now: float) -> Key:
        """Who may do what by it, as if it were a key. `now`: seconds since 1970.

        Raises:
            Untrusted: nobody.
        """
        digest = hashlib.sha256(token.encode()).digest()
        key, ends_at = self._known.get(digest, (None, 0.0))
        if key is not None and now < ends_at:
            return key
        claims = self._claims(token)
        key = Key(_name(claims), _scopes(claims), b"")
        self._known[digest] = key, float(claims["exp"])
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return key

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _MOST_TOKEN_BYTES:
            raise Untrusted(f"token: more than {_MOST_TOKEN_BYTES} bytes, expected at most that many")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            if (key := self._keys.get(key_id)) is None:
                self._wanted.set()
                raise Untrusted(
                    "token: names a key that is not among oauth.jwks, expected one of them. Get a new token"
                )
            return jwt.decode(
                token,
                key,
                algorithms=list(self._config.algorithms),
                audience=self._config.audience,
                issuer=self._config.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": list(_REQUIRED)},
            )
        except (jwt.PyJWTError, RecursionError) as error:  # a head of a thousand levels
            why = next(
                (why for kind, why in _WHY if isinstance(error, kind)), "is none of oauth.issuer's, expected one"
            )
            raise Untrusted(f"token: {why}. Get a new one") from error


def is_token(given: str) -> bool:
    """Whether it has the shape of a JWT, which no key has."""
    return given.count(".") == 2


def fetched(place: str) -> bytes:
    """A file, or what is at an address. No redirect is followed.

    Raises:
        OSError: it cannot be read now.
    """
    if "://" not in place:
        return Path(place).read_bytes()
    with requests.get(place, timeout=_FETCH_SECONDS, allow_redirects=False, stream=True) as answer:
        content = answer.raw.read(_MOST_BYTES, decode_content=True)
    if answer.status_code != 200:
        raise OSError(f"status {answer.status_code}")
    return bytes(content)


def _public_keys(document: Any) -> Mapping[str | None, jwt.PyJWK]:
    """By id; the only one also without. A shared secret among them is none: whoever checks by it could sign by it."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no list of keys")
    of_pairs = (one for one in document["keys"] if isinstance(one, dict) and one.get("kty") != "oct")
    told = [one for one in of_pairs if one.get("use", "sig") == "sig"]
    keys: dict[str | None, jwt.PyJWK] = {key.key_id: key for key in jwt.PyJWKSet(told).keys}
    return keys | {None: next(iter(keys.values()))} if len(keys) == 1 else keys


def _name(claims: Mapping[str, Any]) -> str:
    """For limits and refusals: who it is, without saying so."""
    return "token-" + hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode()).hexdigest()[:16]


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """By its `roles`, and by `scope` (RFC 8693), whose words may be scopes of ours."""
    roles, scope = claims.get("roles", ()), claims.get("scope", "")
    by_role = (
        [ROLES[role] for role in roles if isinstance(role, str) and role in ROLES] if isinstance(roles, list) else []
    )
    words: Iterable[str] = scope.split() if isinstance(scope, str) else ()
    return frozenset(SCOPES).intersection(words).union(*by_role)
