"""What the index keeps of one actor, and the keys it is found by: bytes and back.

An actor is a number, given once, in the order actors turn up; so what a stream adds lands together. A record is JSON:
compact enough, and written and read in C.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from lakehouse.identity.identifier import Identifier

_encode = json.JSONEncoder(separators=(",", ":")).encode
_NUMBER = struct.Struct("=Q")  # LMDB's integer keys are of the machine's own byte order


@dataclass(slots=True)
class Record:
    """One actor. `place`: [profile, component, first_seen_at, cause] of its map row, the first two as actor numbers; None
    while it has no map row. edges: (type, token) -> [kind, weight, first_seen_at]. Times are microseconds since 1970.
    """

    actor_id: str
    place: list[int | str | None] | None = None
    edges: dict[Identifier, list[str | float | int]] = field(default_factory=dict)

    @property
    def component(self) -> int | None:
        return None if self.place is None else int(str(self.place[1]))

    def encode(self) -> bytes:
        edges = [[*identifier, *facts] for identifier, facts in self.edges.items()]
        return _encode([self.actor_id, self.place, edges]).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Record":
        actor_id, place, edges = json.loads(data)
        return cls(actor_id, place, {(edge[0], edge[1]): edge[2:] for edge in edges})


def number_key(number: int) -> bytes:
    return _NUMBER.pack(number)


def number_of(key: bytes) -> int:
    return int(_NUMBER.unpack(key)[0])


def numbers_of(keys: Iterable[bytes]) -> list[int]:
    return [number for (number,) in _NUMBER.iter_unpack(b"".join(keys))]


def identifier_key(identifier: Identifier) -> bytes:
    """16 bytes: a token may be longer than a key of LMDB. Two identifiers that shared one would only be read together."""
    type_, token = identifier
    return blake2b(f"{len(type_)}:{type_}{token}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
