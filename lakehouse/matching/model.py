"""The matcher as plain values: what training found, and what every use of it reads.

    weight = log2(prior / (1 - prior)) + sum over fields of log2(m / u) + household   [bits]
    household = -log2(1 + caution * sum over kinds of sharing of share * product over fields of (1 - s + s * m / u))
    probability = 2^weight / (1 + 2^weight)

Fellegi, I. and Sunter, A. (1969), A Theory for Record Linkage. m and u are the probabilities of a level of agreement in a
pair of one person and in a pair of two. On exact agreement u is the value's own frequency (Winkler 1989): sharing a rare
name says more than sharing a common one.

The pairs of two people are not all strangers: some live together, and have a value in common with probability s because they
share it. `share` is that of such pairs among all pairs of two people; it is small, so the others are as good as all. `caution`
is CAUTION for a household, else 1. Three kinds of pairs: Winkler (1993), Larsen and Rubin (2001), see
lakehouse/matching/expectation.py.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lakehouse.errors import ModelError
from lakehouse.matching.fields import KINDS, Field, FieldSource
from lakehouse.matching.levels import ELSE, levels

FREQUENCY = "frequency"  # what a token of a frequent value is a token of
HOUSEHOLD = "household"  # the name of the evidence that no single field gives
CAUTION = 3.0  # to take two people of a household for one is so many times as bad as the reverse
FORMAT = 5  # of to_parameters, and of the comparisons behind it: another one cannot be read


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level of agreement of one field."""

    label: str
    m: float
    u: float

    @property
    def bits(self) -> float:
        return math.log2(self.m / self.u)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One field: its levels, strongest first, and the bits that exact agreement on a value adds.

    `frequent`: by token (lakehouse/events/tokens.py) of the values that many records share; `rare_bits`: every other
    value. A model holds no personal data.
    """

    field: Field
    levels: tuple[Level, ...]
    frequent: Mapping[str, float]
    rare_bits: float


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Pairs of two people who share something: a household, a door.

    `prior`: their share of all pairs. `shared`: by comparison, the probability that two such people share the value.
    """

    name: str
    prior: float
    shared: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class MatchModel:
    """A trained matcher. `rules`: blocking rules, as names of atoms. `region`: how dates and phones were read."""

    version: str
    prior: float
    comparisons: tuple[Comparison, ...]
    rules: tuple[tuple[str, ...], ...]
    max_block: int
    least_probability: float
    region: str
    sharing: tuple[Sharing, ...] = ()

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(comparison.field for comparison in self.comparisons)

    @property
    def evidence_names(self) -> tuple[str, ...]:
        """Of the bits a pair is scored with: the fields in order, and HOUSEHOLD if the model knows of any."""
        return (*(field.name for field in self.fields), *([HOUSEHOLD] if self.sharing else []))

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise self._error("prior", self.prior, "a probability between 0 and 1")
        self._check_sharing()
        for index, comparison in enumerate(self.comparisons):
            name = comparison.field.name
            if comparison.field.kind not in KINDS:
                raise self._error(f"kind of {name}", repr(comparison.field.kind), f"one of {list(KINDS)}")
            expected = [label for label, _ in levels(self.fields, index)] + [ELSE]
            got = [level.label for level in comparison.levels]
            if got != expected:
                raise self._error(f"levels of {name}", got, expected)
            for level in comparison.levels:
                if not (0 < level.m <= 1 and 0 < level.u <= 1):
                    raise self._error(f"m and u of {name}, {level.label}", (level.m, level.u), "more than 0, at most 1")

    def _check_sharing(self) -> None:
        for one in self.sharing:
            if len(one.shared) != len(self.comparisons) or not all(0 <= share <= 1 for share in one.shared):
                raise self._error(f"sharing {one.name}", one.shared, f"{len(self.comparisons)} probabilities")
            if not 0 < one.prior < 1:
                raise self._error(f"prior of sharing {one.name}", one.prior, "a probability between 0 and 1")
        if not self.prior + sum(one.prior for one in self.sharing) < 1:
            raise self._error("prior and those of sharing", [one.prior for one in self.sharing], "less than 1 together")

    def _error(self, place: str, got: object, expected: object) -> ModelError:
        retrain = "Run ./spark-submit.sh ml/train_identity.py"
        return ModelError(f"identity model {self.version}: {place}, got {got}, expected {expected}. {retrain}")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], version: str) -> Self:
        """Read what `to_parameters` wrote.

        Raises:
            ModelError: another format, a part is missing, or one means nothing to this version of the code.
        """
        if parameters.get("format") != FORMAT:
            raise ModelError(
                f"identity model {version}: format, got {parameters.get('format')!r}, expected {FORMAT}. "
                "Run ./spark-submit.sh ml/train_identity.py"
            )
        try:
            return cls(
                version=version,
                prior=float(parameters["prior"]),
                comparisons=tuple(_comparison(read) for read in parameters["comparisons"]),
                rules=tuple(tuple(rule) for rule in parameters["rules"]),
                max_block=int(parameters["max_block"]),
                least_probability=float(parameters["least_probability"]),
                region=str(parameters["region"]),
                sharing=tuple(
                    Sharing(
                        name=str(read["name"]), prior=float(read["prior"]), shared=tuple(map(float, read["shared"]))
                    )
                    for read in parameters["sharing"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"identity model {version}: incomplete, got {error!r}, expected every part of a model. "
                "Run ./spark-submit.sh ml/train_identity.py"
            ) from error

    def to_parameters(self) -> dict[str, Any]:
        """JSON-ready; the version is the registry's to give."""
        return {"format": FORMAT} | {k: v for k, v in dataclasses.asdict(self).items() if k != "version"}


def _comparison(read: Mapping[str, Any]) -> Comparison:
    field = read["field"]
    return Comparison(
        field=Field(
            name=field["name"], kind=field["kind"], sources=tuple(FieldSource(**source) for source in field["sources"])
        ),
        levels=tuple(Level(**level) for level in read["levels"]),
        frequent=dict(read["frequent"]),
        rare_bits=float(read["rare_bits"]),
    )
