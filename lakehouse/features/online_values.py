"""The features of a profile at an instant, of the sums in its online document: what `features_at` makes of silver.feature_days, in plain Python.

Two evaluators of one definition, as for rules: Spark's reads many profiles at an instant, this one a profile at the instant it is asked about, with no
Spark near. Held to each other and to DuckDB at random by tests/lakehouse/features/test_online_values.py.

The instant is never before the one the document was written at: every sum in it is known. Pure.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from lakehouse.features.definition import DAY, Feature, Features

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
Entry = Mapping[str, Any]
Sums = Mapping[str, Entry]
"""Of one profile, by name of the partial; the form is told in lakehouse/features/online_sums.py."""
TOTAL_DIGITS = 10  # after the point, as EXACT has them


class _Unknown(Exception):
    """The document carries too little to say: it was written under other declarations."""


class OnlineFeatures(Mapping[str, object]):
    """The online features of one profile at one instant, by name; each is computed when it is asked for.

    Values are those of gold.features: int, float, text or a UTC time; None where that says null, and where the document does not carry what it takes.
    `read`: reads the sums of the document; called when the first feature is asked for.
    """

    def __init__(self, features: Features, read: Callable[[], Sums], at: datetime) -> None:
        self._features = features
        self._read = read
        self._at = (at - _EPOCH) // _MICROSECOND

    def __getitem__(self, name: str) -> object:
        feature = self._features.by_name[name]
        if not feature.is_online:
            raise KeyError(name)
        try:
            return self._value(feature)
        except _Unknown:
            return None

    def __iter__(self) -> Iterator[str]:
        return (feature.name for feature in self._features.online)

    def __len__(self) -> int:
        return len(self._features.online)

    @cached_property
    def _sums(self) -> Sums:
        return self._read()

    def _value(self, feature: Feature) -> Any:
        answer = self._answer(feature)
        if answer is None:
            answer = feature.default
        if answer is None or feature.value == "text":
            return answer
        if feature.value == "time":
            return _EPOCH + int(answer) * _MICROSECOND
        return int(answer) if feature.type == "bigint" else float(answer)

    def _answer(self, feature: Feature) -> Any:
        """What there is in the window; None of nothing."""
        if feature.parts is not None:
            above, below = (self._value(self._features.by_name[name]) for name in feature.parts)
            return None if above is None or not below else float(above) / float(below)
        assert feature.partial is not None
        entry = self._sums.get(feature.partial)
        if entry is None:
            raise _Unknown
        oldest = self._oldest(feature, entry, self._features.grains[feature.partial])
        try:
            return _ANSWERS[feature.aggregation](entry, oldest, self._at)
        except KeyError:
            raise _Unknown from None

    def _oldest(self, feature: Feature, entry: Entry, grain: int) -> int | None:
        """The minute or day before the window; None of a lifetime."""
        if feature.window is None:
            return None
        buckets, kept = feature.window // grain, entry.get("n")
        if kept is not None and buckets > kept:
            raise _Unknown
        return self._at // grain - buckets


Answer = Callable[[Entry, int | None, int], Any]
"""The answer of an aggregation: of an entry, what lies after the bucket `oldest` (None = all of it), at an instant."""


def _inside(entry: Entry, field: str, oldest: int | None) -> list[Any]:
    """Of the minutes and days inside the window; nothing is in an empty entry."""
    if not entry:
        return []
    values: list[Any] = entry[field]
    return values if oldest is None else values[bisect_right(entry["at"], oldest) :]


def _some(entry: Entry, field: str, oldest: int | None) -> list[Any]:
    return [value for value in _inside(entry, field, oldest) if value is not None]


def _total(entry: Entry, oldest: int | None) -> float | None:
    totals = _some(entry, "total", oldest)
    return sum(map(int, totals)) / 10**TOTAL_DIGITS if totals else None


def _mean(entry: Entry, oldest: int | None, _: int) -> float | None:
    total = _total(entry, oldest)
    return None if total is None else total / float(sum(_inside(entry, "values", oldest)))


def _seen(entry: Entry, field: str, oldest: int | None) -> list[Any]:
    """The first or last of each minute or day inside the window, ascending."""
    if not entry:
        return []
    at, values = entry[field]
    return list(values) if oldest is None else values[bisect_right(at, oldest) :]


def _days_since(entry: Entry, oldest: int | None, at: int) -> float | None:
    latest = max(_inside(entry, "last_at", oldest), default=None)
    return None if latest is None else (at - latest) / float(DAY)


def _streak(entry: Entry, oldest: int | None, at: int) -> int | None:
    days = _inside(entry, "at", oldest)
    if not days:
        return None
    newest = days[-1]
    if at // DAY - newest > 1:
        return 0
    return next((n for n, day in enumerate(reversed(days)) if day != newest - n), len(days))


_ANSWERS: Mapping[str, Answer] = {
    "count": lambda entry, oldest, _: sum(_inside(entry, "events", oldest)) or None,
    "sum": lambda entry, oldest, _: _total(entry, oldest),
    "mean": _mean,
    "min": lambda entry, oldest, _: min(_some(entry, "least", oldest), default=None),
    "max": lambda entry, oldest, _: max(_some(entry, "most", oldest), default=None),
    "first": lambda entry, oldest, _: next(iter(_seen(entry, "first", oldest)), None),
    "last": lambda entry, oldest, _: next(reversed(_seen(entry, "last", oldest)), None),
    "days_since": _days_since,
    "streak": _streak,
}
