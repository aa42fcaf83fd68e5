"""What a declared feature is, checked and ready to be computed. Who reads conf/features.yaml makes these: lakehouse/feature_book.

A feature is a window over partial sums. Features of one filter, one value and one grain share the partial sums, which know no window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from pyspark.sql import Column

Source = Literal["events", "lines"]
"""What is counted: accepted events, or each line of the order or cart an event carries."""
Aggregation = Literal[
    "count", "sum", "min", "max", "mean", "first", "last", "distinct", "top_k", "days_since", "streak", "ratio"
]
Value = Literal["number", "text", "time"]
Word = Callable[[str], Column]
"""The column of a word of the vocabulary."""
Expression = Callable[[Word], Column]

MINUTE, HOUR = 60_000_000, 3_600_000_000  # in microseconds, as every length of time here
DAY = 24 * HOUR
FINE_BELOW = 2 * DAY
"""Windows shorter than this are kept by the minute, others by the UTC day."""


@dataclass(frozen=True, kw_only=True)
class Partial:
    """Sums of what one filter lets through, over one minute or UTC day of one actor.

    name: the hash of the definition: another filter is another partial. condition: null is no. number, text: of what it lets through; None =
    it has no value, or one of the other kind. keeps_values: the texts are kept one by one, up to a bound.
    """

    name: str
    source: Source
    grain: int
    condition: Expression
    number: Expression | None = None
    text: Expression | None = None
    keeps_values: bool = False


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of gold.features.

    definition: the text its version is the hash of. partial: by name; None = a ratio. window: in microseconds; None = lifetime. most: how
    many values of a top_k. default: what it is where there is nothing; None = null. parts: numerator and denominator of a ratio. is_online:
    whether decisions may read it, see online_sums.py.
    """

    name: str
    aggregation: Aggregation
    description: str
    definition: str
    value: Value = "number"
    partial: str | None = None
    window: int | None = None
    most: int = 0
    default: float | str | None = None
    parts: tuple[str, str] | None = None
    is_online: bool = False

    @property
    def version(self) -> str:
        """Another text where it is defined otherwise."""
        return blake2b(self.definition.encode(), digest_size=8).hexdigest()

    @property
    def type(self) -> str:
        """The type of its column."""
        if self.aggregation == "top_k":
            return "array<struct<value:string,count:bigint>>"
        if self.aggregation in ("count", "distinct", "streak"):
            return "bigint"
        return {"number": "double", "text": "string", "time": "timestamp"}[self.value]


@dataclass(frozen=True, kw_only=True)
class Features:
    """All of them. reads: columns of silver.events that they need besides those of a leaf. unfilled: partial sums that do not hold all of history.

    text: of the file that declares them. grains: of the partial sums, by name.
    """

    partials: tuple[Partial, ...] = ()
    features: tuple[Feature, ...] = ()
    reads: tuple[str, ...] = ()
    unfilled: frozenset[str] = frozenset()
    text: str = field(default="", repr=False, compare=False)
    by_name: Mapping[str, Feature] = field(init=False, repr=False, compare=False)
    grains: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {feature.name: feature for feature in self.features})
        object.__setattr__(self, "grains", {partial.name: partial.grain for partial in self.partials})

    def __bool__(self) -> bool:
        return bool(self.features)

    def is_filled(self, feature: Feature) -> bool:
        """Whether all of history is in it, and in whatever it divides."""
        parts = [self.by_name[name] for name in feature.parts or ()]
        return feature.partial not in self.unfilled and all(map(self.is_filled, parts))

    @property
    def online(self) -> tuple[Feature, ...]:
        """Those that decisions may read."""
        return tuple(feature for feature in self.features if feature.is_online)

    @property
    def version(self) -> tuple[str, ...]:
        """Of all of them together, and of what is summed for them."""
        summed = (f"{partial.name} {partial.name in self.unfilled}" for partial in self.partials)
        return (*(f"{feature.name}@{feature.version}" for feature in self.features), *summed)


NO_FEATURES = Features()
