"""How often a caller may come: a token bucket each. Source: Turner, New directions in communications, IEEE 1986.

A bucket holds two seconds' worth and fills at the declared rate. Memory is bounded: of more callers than `MOST` the one that has
not come for longest is forgotten, and then starts with a full bucket.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 20_000
_FULL_SECONDS = 2.0
_ROUNDING = 1e-6


class Rates:
    """`per_second`: of each caller, in this process; 0 = no limit."""

    def __init__(self, per_second: float, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._full = max(1.0, per_second * _FULL_SECONDS)
        self._most = most
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was

    @property
    def is_on(self) -> bool:
        """Whether there is a limit."""
        return self._per_second > 0

    @property
    def callers(self) -> int:
        """How many are remembered."""
        return len(self._left)

    def wait(self, caller: str) -> int:
        """0, and the request counts; else the whole seconds after which one more is let in."""
        if not self.is_on:
            return 0
        now = self._clock()
        left, since = self._left.pop(caller, (self._full, now))
        left = min(self._full, left + (now - since) * self._per_second)
        is_let_in = left >= 1.0 - _ROUNDING
        self._left[caller] = (max(0.0, left - is_let_in), now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0 if is_let_in else max(1, math.ceil((1.0 - left) / self._per_second))
