"""The online store: what a decision needs to know, a key away. A cache of gold, and the timelines of what just happened.

Two kinds of things, each under text keys of the caller's:

    documents   the newest version of a value; an older version never replaces a newer one, so replays do no harm. Of several who
                write one version the first has it: what makes an effect happen once
    timelines   entries in order of (at_ms, id), each id once, only the newest kept

Documents and timelines may have an end. Up to it they are there, and some time after it they are gone: LMDB lets go of them in
`expire`, Redis by its own clock. Whoever must know exactly keeps the time in the value.

LMDB (embedded: this machine, microseconds) or Redis (several machines), the same contract: tests/lakehouse/online/test_store.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LMDB = "lmdb://"
REDIS = tuple(f"{scheme}{kind}://" for scheme in ("redis", "rediss") for kind in ("", "+sentinel", "+cluster"))
REBUILD = "Rebuild it from gold: ./spark-submit.sh batch/online_store.py"
LISTED = ("e:", "u:")  # documents that are few, and asked for all together every few seconds: see `scan`
MOST = 2**53 - 1  # the largest version or time that every engine keeps exactly


@dataclass(frozen=True)
class Document:
    """`value` None: it is gone. The version stays, so that an older value does not come back. 0 <= version <= MOST.

    `ends_ms`: ms since 1970 from which even the version may be forgotten; None = never.
    """

    key: str
    version: int
    value: bytes | None
    ends_ms: int | None = None


class Entry(NamedTuple):
    """One entry of a timeline: milliseconds since 1970, and an id that is unique in its timeline."""

    at_ms: int
    id: str
    value: bytes


class OnlineStore(Protocol):
    """Every method raises StoreError when the store cannot answer, a network one within its timeout. Thread-safe."""

    @property
    def is_embedded(self) -> bool:
        """True: calls cost microseconds. False: they cross a network and may block up to the timeout."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values, in the order of the keys; None = never written, or gone."""

    def read(
        self, keys: Sequence[str], timelines: Sequence[str], count: int
    ) -> tuple[list[bytes | None], list[list[Entry]]]:
        """`get` of the keys and `latest` of the timelines, in one exchange."""

    def put(self, documents: Iterable[Document]) -> int:
        """Write each whose version is above the stored one; how many were. Not one transaction, however many."""

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Every document there is under keys that begin so, in no order. Meanwhile others may write.

        Costs as much as there are such documents for a prefix of LISTED, else perhaps as much as there are documents at all.
        """

    def append(self, timelines: Mapping[str, Iterable[Entry]], *, keep: int, keep_ms: int | None = None) -> None:
        """Add to timelines, by key. An id that is present stays as it is. Of each only the newest `keep` stay.

        A timeline ends `keep_ms` after its newest entry; None = never, or as an earlier call said.
        Adding nothing changes nothing. Each timeline at once; not one transaction, however many.
        """

    def latest(self, keys: Sequence[str], count: int) -> list[list[Entry]]:
        """At most `count` entries of each timeline, newest first."""

    def until(self, key: str, at_ms: int, limit: int) -> list[Entry]:
        """At most `limit` entries with `at_ms` up to the given one, oldest first."""

    def remove(self, key: str, ids: Sequence[str]) -> int:
        """Take entries out of a timeline; how many were there."""

    def expire(self, now_ms: int, limit: int) -> int:
        """Let go of at most `limit` documents and timelines that ended before `now_ms`; how many ends were looked at.

        Fewer than `limit`: nothing is left that has ended.
        """

    def close(self) -> None:
        """Let go. Calls afterwards raise StoreError."""
