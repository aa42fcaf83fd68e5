"""How long something is ago, by a clock that somebody may set."""

from datetime import datetime, timedelta


def has_passed(since: datetime | None, now: datetime, pause: timedelta) -> bool:
    """Whether so long has gone by; also where nobody knows: `since` is None, or lies ahead because the clock was set back.

    Who waits for a time that the clock has gone back behind would wait an hour too long, and not hear meanwhile who withdrew.
    """
    return since is None or not timedelta(0) <= now - since < pause
