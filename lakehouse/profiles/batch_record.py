"""What is noted of every micro-batch of the `events` query."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse.profiles.declaration import LeafTable


@dataclass
class BatchRecord:
    """What one micro-batch did: counts, seconds per stage, and when its profiles were in the online store and in gold.activation.

    sent: how many facts its leaf rows hold, by list. Null times: not there, or not yet.
    """

    batch_id: int
    leaf_rows: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    online_at: datetime | None = None
    committed_at: datetime | None = None

    def brings(self, table: LeafTable) -> bool:
        """Whether its leaf rows hold anything the table is made of."""
        return not table.sent_in or any(self.sent[name] for name in table.sent_in)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
