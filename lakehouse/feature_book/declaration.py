"""One entry of conf/features.yaml, as its author wrote it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from lakehouse.config.declarations import Declared
from lakehouse.features.definition import DAY, FINE_BELOW, HOUR, MINUTE, Aggregation, Source
from lakehouse.profiles.gold.features import OWN_COLUMNS
from lakehouse.rules.vocabulary import Type

LIFETIME = "lifetime"
_WINDOW = re.compile(r"(\d{1,4}) ?(min|h|d)")
_UNITS = {"min": MINUTE, "h": HOUR, "d": DAY}
_LEAST, _MOST = HOUR, 1100 * DAY
VALUES: Mapping[Aggregation, tuple[Type, ...]] = {
    "count": (),
    "days_since": (),
    "streak": (),
    "ratio": (),
    "sum": ("number",),
    "mean": ("number",),
    "min": ("number", "time"),
    "max": ("number", "time"),
    "first": ("number", "text", "time"),
    "last": ("number", "text", "time"),
    "distinct": ("text",),
    "top_k": ("text",),
}
"""The types of value an aggregation takes; none = it takes no value."""
ZERO_OF_NOTHING = ("count", "distinct", "streak")
OFFLINE = ("distinct", "top_k")
"""What no document can hold: up to 1,024 texts for each day of the window."""


def _window(sent: Any) -> int | None:
    """Microseconds; None = lifetime."""
    if sent == LIFETIME:
        return None
    found = _WINDOW.fullmatch(sent.strip()) if isinstance(sent, str) else None
    length = int(found[1]) * _UNITS[found[2]] if found is not None else 0
    if not _LEAST <= length <= _MOST:
        raise ValueError(f"got {str(sent)[:40]!r}, expected 1 h to 1100 d, such as 90 min, 24 h, 30 d, or {LIFETIME}")
    if length >= FINE_BELOW and length % DAY:
        raise ValueError(
            f"got {str(sent)[:40]!r}, expected whole days from 2 d on: longer windows are kept by the UTC day"
        )
    return length


class DeclaredFeature(Declared):
    """`window`: microseconds, None = lifetime. `most`: how many values of a top_k. `default`: of a profile that has nothing.

    `online`: whether decisions, rules and templates may read it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    description: str = Field(min_length=1, max_length=300)
    aggregation: Aggregation
    over: Source = "events"
    where: str | None = None
    value: str | None = None
    window: Annotated[int | None, BeforeValidator(_window)] = None
    most: int = Field(default=5, ge=1, le=100)
    default: float | str | None = None
    numerator: str | None = None
    denominator: str | None = None
    online: bool = False

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.name in OWN_COLUMNS:
            raise ValueError(f"name: got '{self.name}', a column of gold.features itself, expected another name")
        takes, is_ratio = VALUES[self.aggregation], self.aggregation == "ratio"
        if bool(takes) != (self.value is not None):
            expected = f"a {' or a '.join(takes)}" if takes else "none"
            raise ValueError(f"value: a {self.aggregation} takes {expected}, got {self.value!r}")
        if is_ratio != (self.numerator is not None and self.denominator is not None):
            raise ValueError("numerator, denominator: expected both of a ratio, and neither of anything else")
        given = {"where", "window", "over"} & self.model_fields_set
        if is_ratio and given:
            raise ValueError(f"{sorted(given)[0]}: a ratio has none of its own, expected it at the features it divides")
        if self.aggregation != "top_k" and "most" in self.model_fields_set:
            raise ValueError(f"most: is of a top_k, got it of a {self.aggregation}")
        if self.online and self.aggregation in OFFLINE:
            raise ValueError(
                f"online: got true of a {self.aggregation}, whose texts fit into no document, expected false"
            )
        if self.aggregation == "streak" and self.window is not None and self.window < FINE_BELOW:
            raise ValueError("window: a streak counts days, expected 2 d or more, or lifetime")
        return self

    @property
    def is_by_the_minute(self) -> bool:
        """Whether its sums are kept by the minute; else by the UTC day."""
        return self.window is not None and self.window < FINE_BELOW
