"""Keys of the service's callers: what each may do, and how it is kept. See docs/decisions/0046-keys-are-kept-as-hashes.md.

A key is 32 random bytes. Nobody can guess it, fast hash or slow, so SHA-256 is what is kept: a slow hash is for what people
choose. Declared in `serving.keys` as `name:scope+scope:hash`; two that may do the same are both valid, which is how one is
replaced. A name is for people, logs and limits; it is no secret.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SCOPES = ("ingest", "decide", "profiles", "suppress", "admin")
# What a role of a token may do. Which routes a scope opens: serving/api/scopes.py.
ROLES: Mapping[str, frozenset[str]] = {
    "ingest": frozenset({"ingest"}),
    "decide": frozenset({"decide"}),
    "analyst": frozenset({"profiles"}),
    "privacy_officer": frozenset({"profiles", "suppress"}),
    "admin": frozenset({"admin"}),
}
DECLARED = rf"[a-z0-9][a-z0-9._-]{{0,39}}:({'|'.join(SCOPES)})(\+({'|'.join(SCOPES)}))*:[0-9a-f]{{64}}"
IN_WORDS = f"name:scope+scope:hash with scopes of {', '.join(SCOPES)}, as ./spark-submit.sh key prints it"
_MADE = "sl_"  # so that whoever looks for secrets in files finds it
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: `digest` is SHA-256 of its text."""

    name: str
    scopes: frozenset[str]
    digest: bytes

    @property
    def declared(self) -> str:
        """As it stands in `serving.keys`."""
        return f"{self.name}:{'+'.join(scope for scope in SCOPES if scope in self.scopes)}:{self.digest.hex()}"


NOBODY = Key("", frozenset(), b"")  # whoever calls a scope that nobody needs a key for


class Keyring:
    """The keys that are valid. `is_open`: a scope that none of them has is open to everybody."""

    def __init__(self, declared: Iterable[str], *, is_open: bool) -> None:
        self._keys = tuple(map(read, declared))
        held = frozenset[str]().union(*(key.scopes for key in self._keys))
        self._open = frozenset(SCOPES) - held if is_open else frozenset[str]()

    def __bool__(self) -> bool:
        """Whether anybody could be let in."""
        return bool(self._keys or self._open)

    def is_open(self, scope: str) -> bool:
        """Whether nobody needs a key for it."""
        return scope in self._open

    def holder(self, given: str) -> Key | None:
        """The key whose text is given. Takes as long whichever it is, or none: what is compared is a hash, and all of them are."""
        digest = hashlib.sha256(given.encode(errors="replace")).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found


def read(declared: str) -> Key:
    """A key as it is declared; it has the shape of DECLARED."""
    name, scopes, digest = declared.split(":")
    return Key(name, frozenset(scopes.split("+")), bytes.fromhex(digest))


def make(name: str, scopes: Iterable[str]) -> tuple[str, Key]:
    """A new key's text, which is nowhere else, and how it is kept."""
    text = _MADE + secrets.token_urlsafe(_BYTES)
    return text, Key(name, frozenset(scopes), hashlib.sha256(text.encode()).digest())


def is_declared(text: str) -> bool:
    """Whether it could stand in `serving.keys`."""
    return re.fullmatch(DECLARED, text) is not None
