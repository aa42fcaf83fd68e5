"""One record for the broker, as bytes: what every source of events yields."""

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record to be.

    `key`: routing key; equal for a message and its repeats, null = none. `value`: the body; null = tombstone.
    `at`: time of arrival, UTC. It orders the stream; it is not stamped on the record.
    """

    key: bytes | None
    value: bytes | None
    at: datetime


def routing_key(anonymous_id: str | None, user_id: str | None, *others: str | None) -> bytes:
    """Key of a message: anonymousId, else userId, else a hash of the first other identifier (it may be personal)."""
    if anonymous_id or user_id:
        return (anonymous_id or user_id or "").encode()
    first = next((value for value in others if value), "")
    return hashlib.blake2b(first.encode(), digest_size=8).hexdigest().encode()
