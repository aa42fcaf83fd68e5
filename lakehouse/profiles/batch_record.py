"""What is noted of every micro-batch of the `profiles` query."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class BatchRecord:
    """What one micro-batch did: counts, seconds per stage, and when its profiles were in the online store and in gold.activation.

    Null: not there, or not yet.
    """

    batch_id: int
    leaf_rows: int = 0
    orders: int = 0
    traits: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    online_at: datetime | None = None
    committed_at: datetime | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
