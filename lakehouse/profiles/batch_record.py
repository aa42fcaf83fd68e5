"""What is noted of every micro-batch of the `events` query."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse.profiles.declaration import LeafTable


@dataclass
class BatchRecord:
    """What one micro-batch did: counts, seconds per stage, and when its profiles were in the online store and in gold.activation.

    accepted, quarantined: how many records were taken in, and how many were not, by reason. first_arrival: when Kafka took the first of
    the accepted ones. sent: how many facts its leaf rows hold, by list. online_owed: profiles the online store did not take; None = there is no
    store. Null times: not there, or not yet.
    """

    batch_id: int
    accepted: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    first_arrival: datetime | None = None
    leaf_rows: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    online_at: datetime | None = None
    online_owed: int | None = None
    online_is_behind: bool = False
    committed_at: datetime | None = None

    @property
    def figures(self) -> dict[str, float]:
        """Its counts and seconds, for the log."""
        counts = {"accepted": self.accepted, "quarantined": sum(self.quarantined.values()), "leaf_rows": self.leaf_rows}
        return {"batch_id": self.batch_id, **counts, **self.sent, **self.seconds}

    def brings(self, table: LeafTable) -> bool:
        """Whether its leaf rows hold anything the table is made of."""
        return not table.sent_in or any(self.sent[name] for name in table.sent_in)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the seconds, added to those of the stage before."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 3)


Note = Callable[[BatchRecord], None]


def nothing_noted(_: BatchRecord) -> None:
    """Of whoever asks nobody to watch."""
