"""How fast a destination is called: a rate, a circuit breaker, pauses between attempts, quiet hours. Pure: `now` is given."""

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lakehouse.config.declarations import QuietHours


class Bucket:
    """At most `per_second` on average, and at most `burst` at once, by default a second's worth. A clock set back takes nothing away.

    A token bucket. Source: Turner, New directions in communications, IEEE Communications Magazine 24 (1986).
    """

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, per_second: float, *, burst: float | None = None) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second if burst is None else burst)
        self._tokens = self._burst
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until one may go."""
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) / self._per_second

    def take(self) -> None:
        """One goes; `wait` said it may."""
        self._tokens -= 1


class Breaker:
    """After `failures` in a row nobody is called for a while, then one is tried; each time that fails the while doubles."""

    def __init__(self, *, failures: int = 5, seconds: float = 5.0, most_seconds: float = 300.0) -> None:
        self._limit = failures
        self._first, self._most = seconds, most_seconds
        self._in_a_row = 0
        self._until: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until one may be tried. A clock set back waits no longer than the longest while."""
        if self._until is None:
            return 0.0
        self._until = min(self._until, now + self._most)
        return max(0.0, self._until - now)

    def succeeded(self) -> None:
        """The failures in a row are over."""
        self._in_a_row, self._until = 0, None

    def failed(self, now: float) -> None:
        """One more in a row. `now`: seconds of the clock that `wait` is given."""
        self._in_a_row += 1
        over = self._in_a_row - self._limit
        if over >= 0:
            self._until = now + min(self._first * 2.0 ** min(over, 30), self._most)


def backoff(attempt: int, key: str, *, first: float, most: float) -> float:
    """Seconds after the `attempt`-th failed: doubling, up to a fifth less by `key`, so that not all come back at once."""
    spread = int.from_bytes(hashlib.sha256(f"{key}:{attempt}".encode()).digest()[:4]) / 2**32
    return min(first * 2.0 ** min(attempt - 1, 60), most) * (1 - 0.2 * spread)


def quiet_until(quiet: QuietHours, now: datetime) -> datetime | None:
    """When the quiet hours that hold now are over, UTC; None when none hold.

    Where clocks are set forward over the end, it is the first moment after. Where they are set back over it, it is the first of the two
    that lies ahead; where they are set back over the beginning, it is that moment.
    """
    if not quiet.hold(now):
        return None
    zone = ZoneInfo(quiet.zone)
    end = _next_end(quiet, zone, now)
    if now.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        change = _change(zone, now.replace(microsecond=0), end)
        if not quiet.hold(change):
            return change
    return end


def _next_end(quiet: QuietHours, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone).date()
    for days in (0, 1):
        end = datetime.combine(today + timedelta(days=days), quiet.end, tzinfo=zone)
        early, late = sorted(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        if early > now and early.astimezone(zone).time() == quiet.end:
            return early
        if late > now:
            return late if late.astimezone(zone).time() == quiet.end else _change(zone, early, late)
    raise AssertionError("an end within a day")


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between two at which clocks are set, to the second."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after
