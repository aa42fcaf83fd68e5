"""gold.audiences: who is in which audience, and since when.

Members follow from conf/audiences.yaml: `gold_audiences` makes the contract whose transform knows the definitions. What is listed in the catalogue is
the contract of no audience.

Who is in an audience follows from the rows of gold.activation and gold.features, so a rebuild finds the same members. Since when does not: between two
micro-batches nobody looked, late events and merges write the past anew, and the models of then are gone. So valid_from is history, as in
gold.segments: the time at which the profile was found in it, which a rebuild and another definition leave as it is while the profile stays a member.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.features.definition import Word
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import optional, required

IS_KNOWN = "is_known"
_ENTRY = "array<struct<audience:string,version:string>>"


@dataclass(frozen=True, kw_only=True)
class Audience:
    """A named set of profiles, its definition checked. Who reads conf/audiences.yaml makes these: lakehouse/audiences/book.py.

    condition: null is no. reads: columns of gold.activation and gold.features, and audiences, by name. version: the hash of all that decides who
    is in it.
    """

    name: str
    version: str
    condition: Callable[[Word], Column]
    reads: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Audiences:
    """All of them, each after those it reads. features: those that any of them reads."""

    all: tuple[Audience, ...] = ()
    features: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.all)

    @property
    def versions(self) -> dict[str, str]:
        """By name."""
        return {one.name: one.version for one in self.all}

    @property
    def levels(self) -> list[list[Audience]]:
        """Those that read no other, then those that read these, and so on."""
        depth: dict[str, int] = {}
        for one in self.all:
            depth[one.name] = 1 + max((depth[name] for name in one.reads if name in depth), default=-1)
        return [[one for one in self.all if depth[one.name] == level] for level in sorted(set(depth.values()))]


NO_AUDIENCES = Audiences()


def members(people: DataFrame, audiences: Audiences) -> DataFrame:
    """[profile_id, audience, version] of everybody who is in one. people: rows of gold.activation, with the features that are read."""
    names = audiences.versions

    def word(name: str) -> Column:
        if name in names:
            return F.col(_column(name))
        return F.size("user_ids") > 0 if name == IS_KNOWN else F.col(name)

    for level in audiences.levels:
        people = people.withColumns({_column(a.name): F.coalesce(a.condition(word), F.lit(False)) for a in level})
    entries = (
        F.when(F.col(_column(name)), F.struct(F.lit(name).alias("audience"), F.lit(version).alias("version")))
        for name, version in names.items()
    )
    return people.select("profile_id", F.inline(F.array_compact(F.array(*entries)).cast(_ENTRY)))


def _column(audience: str) -> str:
    return f"_in_{audience}"


def gold_audiences(audiences: Audiences) -> ProfileTable:
    """The contract of the table that holds who is in these."""

    def of_profiles(gold_activation: DataFrame) -> DataFrame:
        return members(gold_activation, audiences)

    def of_features(gold_activation: DataFrame, gold_features: DataFrame) -> DataFrame:
        read = gold_features.select("profile_id", *audiences.features)
        return members(gold_activation.join(read, on="profile_id", how="left"), audiences)

    return ProfileTable(
        name="gold.audiences",
        grain="one row per profile, audience and validity",
        key=("profile_id", "audience", "valid_from"),
        transform=of_profiles if audiences and not audiences.features else of_features,
        revised=("version",),
        columns=(
            required("profile_id", "string", "profile"),
            required("audience", "string", "name of the audience, as conf/audiences.yaml declares it"),
            required("version", "string", "version of the definition that says so, or said so last"),
            required("valid_from", "timestamp", "since when it is a member: time it was found to be one"),
            optional("valid_to", "timestamp", "time it was found to be none any more; null = a member"),
        ),
    )


GOLD_AUDIENCES = gold_audiences(NO_AUDIENCES)
