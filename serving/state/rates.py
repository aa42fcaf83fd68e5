"""How often a caller may come: a token bucket each (lakehouse/actions/pace.py) that holds two seconds' worth.

Memory is bounded: of more callers than `MOST` the one that has not come for longest is forgotten, and then starts with a full bucket.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from lakehouse.actions.pace import Bucket

MOST = 20_000
_FULL_SECONDS = 2.0


class Rates:
    """`per_second`: of each caller, in this process; 0 = no limit."""

    def __init__(self, per_second: float, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    @property
    def is_on(self) -> bool:
        """Whether there is a limit."""
        return self._per_second > 0

    @property
    def callers(self) -> int:
        """How many are remembered."""
        return len(self._buckets)

    def wait(self, caller: str) -> int:
        """0, and the request counts; else the whole seconds after which one more is let in."""
        if not self.is_on:
            return 0
        bucket = self._buckets.pop(caller, None) or Bucket(self._per_second, burst=self._per_second * _FULL_SECONDS)
        self._buckets[caller] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if (seconds := bucket.wait(self._clock())) > 0:
            return max(1, math.ceil(seconds))
        bucket.take()
        return 0
