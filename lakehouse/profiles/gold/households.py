"""gold.households: which profiles live together. A group over profiles: it never merges anybody.

A profile's household is the one a group call names (`households.group_prefix`), because somebody who knows says so; else its
address: same street, postal code and family name, as lakehouse/matching/normalise.py compares them. Its latest household
group and its latest address count. More than `households.max_members` profiles are an institution, a block of flats or a
value from a test: nobody's household. One person who lives alone is one, as in a census: so the household of a profile
follows from that profile alone, and who joins it, leaves it or turns out to be somebody else changes nobody's household_id.
Only an institution may, by growing or shrinking past the bound.

Silver keeps of a group call its groupId, not its traits: so the id has to say what kind of group it is. One that holds an
`@` is a token in silver and says nothing.
"""

from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events.tokens import token_of
from lakehouse.matching.fields import ADDRESS, CODE, FAMILY_NAME
from lakehouse.matching.normalise import normalised
from lakehouse.tables.contract import Table, required, write_time
from lakehouse.tables.people import By, by

GOLD_HOUSEHOLDS = Table(
    name="gold.households",
    grain="one row per profile in a household",
    people=(by("profile_id", By.ACTOR),),
    key=("profile_id",),
    owner="batch/households.py",
    reads=("silver.events", "silver.personal_traits", "silver.identity_map"),
    columns=(
        required("profile_id", "string", "profile; it stays one, a household never merges anybody"),
        required("household_id", "string", "HMAC token of the address and family name, or of the group"),
        required("basis", "string", "address: same street, postal code and family name; group: a group call says so"),
        required("members", "bigint", "profiles of the household, at most households.max_members; 1 = lives alone"),
        write_time("computed_at", "time of the run"),
    ),
)

_GROUP, _ADDRESS = "group", "address"


def homes(events: DataFrame, traits: DataFrame, identity_map: DataFrame, *, config: Config) -> DataFrame:
    """[profile_id, household_id, basis]: every profile's latest household group and latest address, none where unknown.

    At most one row per profile and basis, however many share it; an actor that the map does not have is left out.

    Args:
        events: silver.events.
        traits: silver.personal_traits.
        identity_map: silver.identity_map as it is now.
        config: region of the normal forms, key of the tokens, prefix of household groups.
    """
    profile_of = identity_map.select("actor_id", "profile_id")
    by_address = _by_address(traits.join(profile_of, on="actor_id", how="inner"), config)
    if not config.households.group_prefix:
        return by_address
    return by_address.unionByName(_by_group(events.join(profile_of, on="actor_id", how="inner"), config))


def households(homes: DataFrame, *, max_members: int, now: datetime) -> DataFrame:
    """Rows of `homes` -> rows of gold.households, institutions left out. A group goes before an address."""
    bounded = homes.join(institutions(homes, max_members=max_members), on="household_id", how="left_anti")
    first = F.max(F.struct((F.col("basis") == _GROUP).alias("is_group"), "household_id", "basis"))
    chosen = bounded.groupBy("profile_id").agg(first.alias("home")).select("profile_id", "home.*")
    together = Window.partitionBy("household_id")
    counted = chosen.withColumn("members", F.count(F.lit(1)).over(together)).withColumn("computed_at", F.lit(now))
    return counted.select(*GOLD_HOUSEHOLDS.column_names)


def institutions(homes: DataFrame, *, max_members: int) -> DataFrame:
    """[household_id, basis, members] of the groups and addresses that more than `max_members` profiles have."""
    counted = homes.groupBy("household_id", "basis").agg(F.count(F.lit(1)).alias("members"))
    return counted.where(F.col("members") > max_members)


def _by_address(traits: DataFrame, config: Config) -> DataFrame:
    """Rows of silver.personal_traits with their profile_id -> `homes` by address.

    Street and postal code are one actor's, so that no old street meets a new code; the name may be from another event.
    """
    places = _per_actor(traits, {"street": ADDRESS, "postal_code": CODE}, config)
    whole = places.where(F.col("street").isNotNull() & F.col("postal_code").isNotNull())
    latest = _latest(whole, "street", "postal_code", at=F.greatest("street_at", "postal_code_at"))
    named = latest.join(_family_names(traits, config), on="profile_id", how="inner")
    return named.select("profile_id", *_home(_ADDRESS, config, "street", "postal_code", "family_name"))


def _family_names(traits: DataFrame, config: Config) -> DataFrame:
    """[profile_id, family_name]: the latest last name; without one the last word of the latest whole name."""
    region = config.events.default_region
    value, trait = F.col("value"), F.col("trait")
    separate = normalised(value, FAMILY_NAME, region=region)
    of_whole = normalised(value, FAMILY_NAME, region=region, part=FAMILY_NAME)
    name = F.when(trait == "last_name", separate).when(trait == "name", of_whole)
    is_separate = (trait == "last_name").alias("is_separate")
    names = traits.where(trait.isin("last_name", "name"))
    named = names.select("profile_id", "seen_at", is_separate, name.alias("family_name"))
    latest = F.max_by("family_name", F.struct("is_separate", "seen_at", "family_name"))
    return named.where(F.col("family_name").isNotNull()).groupBy("profile_id").agg(latest.alias("family_name"))


def _by_group(events: DataFrame, config: Config) -> DataFrame:
    """Rows of silver.events with their profile_id -> `homes` by group call."""
    is_household = F.col("group_id").startswith(config.households.group_prefix)
    calls = events.where((F.col("type") == "group") & is_household)
    latest = F.max_by("group_id", F.struct("occurred_at", "message_id"))
    named = calls.groupBy("profile_id").agg(latest.alias("group_id"))
    return named.select("profile_id", *_home(_GROUP, config, "group_id"))


def _per_actor(traits: DataFrame, kinds: dict[str, str], config: Config) -> DataFrame:
    """[profile_id, actor_id, <trait>, <trait>_at, ...]: one row per actor, values comparable, null where unusable."""
    columns = []
    for trait, kind in kinds.items():
        usable = normalised(F.col("value"), kind, region=config.events.default_region)
        columns.append(F.max(F.when(F.col("trait") == trait, usable)).alias(trait))
        columns.append(F.max(F.when(F.col("trait") == trait, F.col("seen_at"))).alias(f"{trait}_at"))
    return traits.where(F.col("trait").isin(*kinds)).groupBy("profile_id", "actor_id").agg(*columns)


def _latest(rows: DataFrame, *columns: str, at: Column) -> DataFrame:
    """[profile_id, *columns]: the latest row of every profile, at the same instant the greatest."""
    latest = F.max(F.struct(at.alias("at"), *columns))
    found: DataFrame = rows.groupBy("profile_id").agg(latest.alias("latest"))
    return found.select("profile_id", *(f"latest.{column}" for column in columns))


def _home(basis: str, config: Config, *columns: str) -> tuple[Column, Column]:
    """household_id and basis. What is comparable holds no bar, so that no two addresses are one text."""
    key = F.concat_ws("|", F.lit(basis), *columns)
    return token_of(config.privacy, "household", key).alias("household_id"), F.lit(basis).alias("basis")
