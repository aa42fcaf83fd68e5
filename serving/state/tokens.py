"""Bearer tokens beside keys: JWTs (RFC 9068) that an identity provider signs for this service, checked by its public keys.

What a token is signed by is fixed here and never taken from the token alone: `none` and shared secrets are no choice at all. Which roles mean
which scopes is in lakehouse/config/keys.py. Nothing of a token is kept or told but a hash of whose it is.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jwt

from lakehouse.config.keys import ROLES, SCOPES, Key
from lakehouse.config.sections import OauthConfig
from lakehouse.errors import StitchlakeError
from serving.state.provider_keys import ProviderKeys

_LEEWAY_SECONDS = 30.0  # by which clocks may differ
_MOST_TOKEN_BYTES = 8_192
_MOST_BELIEVED = 2_000  # tokens whose signature need not be checked again
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
        self._provider = ProviderKeys(config.jwks, fetch)

    @property
    def is_on(self) -> bool:
        """Whether tokens are taken."""
        return bool(self._config.issuer)

    def look(self) -> None:
        """Read the provider's keys now."""
        if self.is_on:
            self._provider.look()

    async def follow(self) -> None:
        """Read the provider's keys again and again, until cancelled."""
        if self.is_on:
            await self._provider.follow()

    def holder(self, token: str, now: float) -> Key:
        """Who may do what by it, as if it were a key. `now`: seconds since 1970.

        Raises:
            Untrusted: nobody.
            Unconfirmed: nobody can say now, for the provider's keys are not there.
        """
        trusted = self._provider.trusted
        believed = trusted.believed
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        key, ends_at = believed.get(digest, (None, 0))
        if key is not None and now < ends_at:
            return key
        claims = self._claims(token, trusted.keys)
        key = Key(_name(claims), _scopes(claims), b"")
        believed[digest] = key, int(claims["exp"])
        if len(believed) > _MOST_BELIEVED:
            believed.popitem(last=False)
        return key

    def _claims(self, token: str, keys: Mapping[str | None, jwt.PyJWK]) -> dict[str, Any]:
        if len(token) > _MOST_TOKEN_BYTES:
            raise Untrusted(f"token: more than {_MOST_TOKEN_BYTES} bytes, expected at most that many")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            if (key := keys.get(key_id)) is None:
                self._provider.lacks()
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
        except (jwt.PyJWTError, RecursionError, UnicodeError) as error:  # a head of a thousand levels; half a character
            why = next(
                (why for kind, why in _WHY if isinstance(error, kind)), "is none of oauth.issuer's, expected one"
            )
            raise Untrusted(f"token: {why}. Get a new one") from error


def is_token(given: str) -> bool:
    """Whether it has the shape of a JWT, which no key has."""
    return given.count(".") == 2


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
