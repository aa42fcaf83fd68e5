"""Times as cron writes them, in the part of it that every scheduler reads alike.

Left out is what they read differently: weekdays by number (0 is Sunday or Monday), and a day of the month beside one of the week (both
or either).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of a month
_STEP = re.compile(r"\*/(\d{1,2})")
_SPAN = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")
_DAY_SPAN = re.compile(rf"({'|'.join(DAYS)})(?:-({'|'.join(DAYS)}))?")


@dataclass(frozen=True, kw_only=True)
class Cron:
    """Five fields. weekday: `*`, or names with commas between them."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    @property
    def text(self) -> str:
        return f"{self.minute} {self.hour} {self.day} {self.month} {self.weekday}"

    @property
    def quartz(self) -> str:
        """As Quartz writes it: seconds first, and `?` for the day that does not count."""
        minute, hour, day, month = (re.sub(r"^\*/", f"{least}/", field) for field, least in self._stepped())
        if self.weekday == "*":
            return f"0 {minute} {hour} {day} {month} ?"
        return f"0 {minute} {hour} ? {month} {self.weekday.upper()}"

    def _stepped(self) -> Iterator[tuple[str, int]]:
        for name, (least, _) in _BOUNDS.items():
            yield getattr(self, name), least


def parse(text: object) -> Cron:
    """`minute hour day month weekday`, each `*`, `*/n`, `a`, `a-b` or several with commas.

    Raises:
        ValueError: what was wrong, and what was expected.
    """
    words = text.lower().split() if isinstance(text, str) else []
    if len(words) != 5:
        raise ValueError(f"got {str(text)[:40]!r}, expected 'minute hour day month weekday', such as '30 2 * * sun'")
    *numbers, weekday = words
    for field, (name, (least, most)) in zip(numbers, _BOUNDS.items(), strict=True):
        if not _is_sound(field, least, most):
            raise ValueError(f"got '{field[:40]}' for the {name}, expected *, */n, or numbers from {least} to {most}")
    minute, hour, day, month = numbers
    if weekday != "*" and day != "*":
        raise ValueError("got a day of the month and one of the week, expected * for one of them")
    if min(_numbers(day, 1, 31)) > max(_LONGEST[number - 1] for number in _numbers(month, 1, 12)):
        raise ValueError(f"got day '{day}' of month '{month}', expected a day that comes")
    return Cron(minute=minute, hour=hour, day=day, month=month, weekday=_weekdays(weekday))


def _is_sound(field: str, least: int, most: int) -> bool:
    if field == "*":
        return True
    if step := _STEP.fullmatch(field):
        return 1 <= int(step[1]) <= most
    spans = [_SPAN.fullmatch(part) for part in field.split(",")]
    return all(span is not None and least <= int(span[1]) <= int(span[2] or span[1]) <= most for span in spans)


def _numbers(field: str, least: int, most: int) -> list[int]:
    """Of a sound field, those it means."""
    if field == "*":
        return list(range(least, most + 1))
    if step := _STEP.fullmatch(field):
        return list(range(least, most + 1, int(step[1])))
    spans = [_SPAN.fullmatch(part) for part in field.split(",")]
    return [number for span in spans if span for number in range(int(span[1]), int(span[2] or span[1]) + 1)]


def _weekdays(field: str) -> str:
    """Spans spelt out: Sunday is the first day for some, and the last for others."""
    if field == "*":
        return field
    named: set[int] = set()
    for part in field.split(","):
        span = _DAY_SPAN.fullmatch(part)
        first, last = (DAYS.index(span[1]), DAYS.index(span[2] or span[1])) if span else (1, 0)
        if first > last:
            raise ValueError(
                f"got '{field[:40]}' for the weekday, expected * or names from mon to sun, such as mon-fri"
            )
        named.update(range(first, last + 1))
    return ",".join(DAYS[day] for day in sorted(named))
