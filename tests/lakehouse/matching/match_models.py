"""Small models, written by hand."""

from collections.abc import Mapping, Sequence

from hypothesis import HealthCheck, settings

from lakehouse.matching.fields import Field, fields
from lakehouse.matching.levels import ELSE, levels
from lakehouse.matching.model import Comparison, Level, MatchModel, Sharing
from tests.lakehouse.identity.identity_graphs import examples

PEOPLE = fields({"first": "given_name", "last": "family_name", "dob": "date"})


def model_of(
    compared: Sequence[Field],
    *,
    rules: Sequence[Sequence[str]] = (("0.value",),),
    frequent: Mapping[int, Mapping[str, float]] | None = None,
    rare_bits: float = 0.0,
    max_block: int = 50,
    sharing: Sequence[Sharing] = (),
) -> MatchModel:
    """m halves and u doubles from level to level: the strongest is worth 9 bits, each one after it two less."""
    return MatchModel(
        version="v7",
        prior=0.01,
        comparisons=tuple(
            Comparison(
                field=field,
                levels=tuple(
                    Level(label=label, m=0.5 / 2**place, u=2**place / 1024)
                    for place, label in enumerate([*(label for label, _ in levels(compared, index)), ELSE])
                ),
                frequent=(frequent or {}).get(index, {}),
                rare_bits=rare_bits,
            )
            for index, field in enumerate(compared)
        ),
        rules=tuple(tuple(rule) for rule in rules),
        max_block=max_block,
        least_probability=0.1,
        region="US",
        sharing=tuple(sharing),
    )


def spark_examples(count: int) -> settings:
    """The session outlives the examples on purpose, and none of them leaves anything in it."""
    return settings(examples(count), suppress_health_check=[HealthCheck.function_scoped_fixture])
