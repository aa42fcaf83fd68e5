"""Who is in which arm: a salted hash of the unit, so that it is the same everywhere, for ever, without being stored."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from lakehouse.config.limits import BUCKETS


def uniform(salt: str, unit: str) -> float:
    """A number in [0, 1), as good as random over units, and independent between salts: 64 bits of SHA-256."""
    digest = hashlib.sha256(f"{salt}\x1f{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def bucket(salt: str, unit: str) -> int:
    """0 to BUCKETS - 1: the slice of a layer the unit lies in."""
    return int(uniform(salt, unit) * BUCKETS)


A = TypeVar("A")


def arm_of(salt: str, unit: str, arms: Sequence[A], weights: Sequence[float]) -> A:
    """The unit's arm; weights in any unit."""
    edges = list(accumulate(weights))
    return arms[min(bisect_right(edges, uniform(salt, unit) * edges[-1]), len(arms) - 1)]
