"""silver.personal_traits -> one record per described actor: the comparable values, and what blocking keys are made of."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.matching import fields as kinds
from lakehouse.matching.fields import FAMILY_NAME, GIVEN_NAME, LINES, NAMES, Field, FieldSource
from lakehouse.matching.normalise import INSTANT, normalised, with_instant

_OWNER_OF_NAMES = -1  # the pair of names, whichever way round


def records(traits: DataFrame, fields: Sequence[Field], *, region: str) -> DataFrame:
    """Rows of silver.personal_traits -> actor_id, v0, v1, ...: the value of every field, null where it has none.

    One row per actor with at least one usable value.
    """
    needed = sorted({source.trait for field in fields for source in field.sources})
    place = {trait: f"t{number}" for number, trait in enumerate(needed)}  # a trait's name may be anything
    sent = [F.max(F.when(F.col("trait") == trait, F.col("value"))).alias(place[trait]) for trait in needed]
    wide = traits.where(F.col("trait").isin(*needed)).groupBy("actor_id").agg(*sent)
    values = [
        F.coalesce(*(_value(F.col(place[source.trait]), field, source, region) for source in field.sources)).alias(
            f"v{index}"
        )
        for index, field in enumerate(fields)
    ]
    return wide.select("actor_id", *values).where(
        F.coalesce(*(f"v{index}" for index in range(len(fields)))).isNotNull()
    )


def _value(sent: Column, field: Field, source: FieldSource, region: str) -> Column:
    value = normalised(sent, field.kind, region=region, part=source.part)
    return with_instant(value, sent) if field.kind == kinds.DATE else value


def atoms(fields: Sequence[Field]) -> dict[str, tuple[int, Column]]:
    """Name -> (index of its field, value): what a blocking rule may ask two records to have in common.

    Of a name its sound and its beginning, of a date its year and its day, and so on; besides, both names whichever way
    round they stand. Columns over `records`; null where the record has no such thing.
    """
    found: dict[str, tuple[int, Column]] = {}
    for index, field in enumerate(fields):
        value = F.col(f"v{index}")
        parts = {"value": value} | _parts(field.kind, value)
        found |= {f"{index}.{name}": (index, part) for name, part in parts.items()}
    pair = [f"v{index}" for index in sorted(owners_of_names(fields))]
    if pair:
        found["names.value"] = (_OWNER_OF_NAMES, _either_way(*(F.col(name) for name in pair)))
        found["names.sound"] = (_OWNER_OF_NAMES, _either_way(*(F.soundex(name) for name in pair)))
    return found


def owners_of_names(fields: Sequence[Field]) -> set[int]:
    """Indexes of the first given and the first family name, which the atoms `names.*` are made of; empty without both."""
    first = [next((i for i, f in enumerate(fields) if f.kind == kind), None) for kind in (GIVEN_NAME, FAMILY_NAME)]
    return {index for index in first if index is not None} if None not in first else set()


def _parts(kind: str, value: Column) -> dict[str, Column]:
    if kind in NAMES:
        return {"sound": F.soundex(value), "beginning": F.substring(value, 1, 3)}
    if kind == kinds.DATE:
        is_whole = value.rlike(f"^[0-9]{{8}}{INSTANT}?$")
        return {
            "value": F.rtrim(value, F.lit(INSTANT)),
            "year": F.when(is_whole, F.substring(value, 1, 4)),
            "day": F.when(is_whole, F.substring(value, 5, 4)),
        }
    if kind == kinds.EMAIL:
        return {"user": F.substring_index(value, "@", 1)}
    if kind == kinds.PHONE:
        return {"end": F.when(F.length(value) >= 7, F.right(value, F.lit(7)))}
    if kind == kinds.CODE:
        return {"beginning": F.when(F.length(value) >= 5, F.substring(value, 1, 3))}
    if kind in LINES:
        return {"beginning": F.when(F.length(value) > 5, F.substring(value, 1, 5))}
    return {}


def _either_way(one: Column, other: Column) -> Column:
    both = F.concat(F.least(one, other), F.lit("~"), F.greatest(one, other))
    return F.when(one.isNotNull() & other.isNotNull(), both)  # least and greatest pass over nulls
