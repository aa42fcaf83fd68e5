"""gold.contacts: how a profile can be reached and addressed: of all that its actors told, what survives, from whom and since when.

Raw personal data, like silver.personal_traits, which it is made of. Nothing of it is in the online store or in rules; it leaves by exports
alone, and those pass the gate (lakehouse/decisions/gate.py).

A field is told by an actor as a whole: nobody gets the first name of one and the last name of another, nor a street of a town that is
not theirs. What somebody took back, by sending null, nobody of the profile has told before. [contacts] says which of several survives, rule
by rule: `verified` (the trait `<field>_verified` is true), `source` (earlier in `sources`), `frequency` (told by more actors), `recency`.
Where all rules leave two, the latest, and then the greater one.
"""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from lakehouse.config import Config
from lakehouse.config.limits import SURVIVORSHIP
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.tables.contract import optional, required, write_time

# field -> column of gold.contacts: the traits that may say it, the first that is there
FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "email": {"email": ("email",)},
    "phone": {"phone": ("phone",)},
    "name": {"first_name": ("first_name",), "last_name": ("last_name",), "full_name": ("name", "full_name")},
    "address": {name: (name,) for name in ("street", "city", "region", "postal_code", "country")},
    "language": {"language": ("language", "locale")},
}
_TRUE = ("true", "1", "yes")
_READ = {trait for parts in FIELDS.values() for traits in parts.values() for trait in traits}
_VERIFIED = {field: f"{field}_verified" for field in FIELDS}


def transform(silver_identity_map: DataFrame, silver_personal_traits: DataFrame, *, config: Config) -> DataFrame:
    told = silver_personal_traits.where(F.col("trait").isin(*_READ, *_VERIFIED.values()))
    of_profiles = told.join(silver_identity_map.select("actor_id", "profile_id"), on="actor_id")
    taken_back = F.max(F.when(F.col("value").isNull(), F.col("seen_at"))).over(
        Window.partitionBy("profile_id", "trait")
    )
    kept = of_profiles.withColumn("taken_back_at", taken_back).where(
        F.col("value").isNotNull() & (F.col("taken_back_at").isNull() | (F.col("seen_at") > F.col("taken_back_at")))
    )
    fact = F.struct("value", "seen_at", "source")
    by_actor = kept.groupBy("profile_id", "actor_id").agg(
        F.map_from_entries(F.collect_list(F.struct("trait", fact))).alias("told")
    )
    candidates = by_actor.select("profile_id", F.inline(F.array(*(_candidate(field) for field in FIELDS))))
    candidates = candidates.where(F.col("seen_at").isNotNull())
    return _surviving(candidates, config)


def _candidate(field: str) -> Column:
    """What one actor told of a field; seen_at null = nothing. same: equal for what is written differently and is one."""
    parts = [_first(traits) for traits in FIELDS[field].values()]
    values = F.array(*(part["value"] for part in parts))
    latest = F.array_max(F.array(*(F.struct(part["seen_at"], part["source"]) for part in parts)))
    same = F.lower(F.concat_ws("\x01", F.transform(values, lambda value: F.trim(F.coalesce(value, F.lit(""))))))
    if field == "phone":
        same = F.regexp_replace(same, "[^0-9]", "")
    is_verified = F.coalesce(F.lower(F.trim(F.col("told")[_VERIFIED[field]]["value"])).isin(*_TRUE), F.lit(False))
    return F.struct(
        F.lit(field).alias("field"),
        same.alias("same"),
        values.alias("parts"),
        latest["seen_at"].alias("seen_at"),
        latest["source"].alias("source"),
        is_verified.alias("is_verified"),
    )


def _first(traits: Sequence[str]) -> Column:
    return F.coalesce(*(F.col("told")[trait] for trait in traits))


def _surviving(candidates: DataFrame, config: Config) -> DataFrame:
    rank = F.coalesce(F.array_position(_texts(config.contacts.sources), F.lower("source")), F.lit(0))
    trust = F.when(rank > 0, -rank).otherwise(F.lit(-len(config.contacts.sources) - 1)).cast("bigint")
    measures = {
        "verified": F.col("is_verified").cast("bigint"),
        "source": trust,
        "recency": F.unix_micros("seen_at"),
        "frequency": F.lit(0).cast("bigint"),
    }
    rest = ("seen_at", "parts", "source")
    # Of one value frequency is the same whoever told it: it is counted here, and compared below.
    best = F.max(F.struct(*_keys(measures, config), *rest))
    values = candidates.groupBy("profile_id", "field", "same").agg(
        F.count(F.lit(1)).alias("frequency"), best.alias("best")
    )
    compared = [
        F.when(_is_by_frequency(number, config), F.col("frequency"))
        .otherwise(F.col(f"best.k{number}"))
        .alias(f"k{number}")
        for number in range(len(SURVIVORSHIP))
    ]
    chosen = F.struct(*compared, *(F.col(f"best.{name}").alias(name) for name in rest))
    fields = [F.max(F.when(F.col("field") == field, chosen)).alias(f"_{field}") for field in FIELDS]
    return values.groupBy("profile_id").agg(*fields).select("profile_id", *_columns())


def _keys(measures: Mapping[str, Column], config: Config) -> list[Column]:
    """k0, k1, ...: the measures of each field in the order of its rules; 0 where it has no more."""
    keys = []
    for number in range(len(SURVIVORSHIP)):
        key = F.lit(0).cast("bigint")
        for field in FIELDS:
            rules = _rules(config, field)
            if number < len(rules):
                key = F.when(F.col("field") == field, measures[rules[number]]).otherwise(key)
        keys.append(key.alias(f"k{number}"))
    return keys


def _is_by_frequency(number: int, config: Config) -> Column:
    fields = [field for field in FIELDS if "frequency" in _rules(config, field)[number : number + 1]]
    return F.col("field").isin(*fields) if fields else F.lit(False)


def _rules(config: Config, field: str) -> tuple[str, ...]:
    rules: tuple[str, ...] = getattr(config.contacts, field)
    return rules


def _texts(values: Sequence[str]) -> Column:
    return F.array(*(F.lit(value.lower()) for value in values)).cast("array<string>")


def _columns() -> list[Column]:
    columns = []
    for field, parts in FIELDS.items():
        columns += [F.get(f"_{field}.parts", F.lit(number)).alias(name) for number, name in enumerate(parts)]
        columns.append(F.col(f"_{field}.source").alias(f"{field}_source"))
        columns.append(F.col(f"_{field}.seen_at").alias(f"{field}_told_at"))
    return columns


GOLD_CONTACTS = ProfileTable(
    name="gold.contacts",
    grain="one row per profile that told how it is reached or addressed",
    key=("profile_id",),
    holds_personal_data=True,
    transform=transform,
    columns=(
        required("profile_id", "string", "profile"),
        optional("email", "string", "e-mail address as told: raw personal data; null = none"),
        optional("email_source", "string", "program that told it; null = none named"),
        optional("email_told_at", "timestamp", "when it was told last by whoever is believed"),
        optional("phone", "string", "telephone number as told: raw personal data; null = none"),
        optional("phone_source", "string", "program that told it; null = none named"),
        optional("phone_told_at", "timestamp", "when it was told last by whoever is believed"),
        optional("first_name", "string", "given name as told: raw personal data; null = none"),
        optional("last_name", "string", "family name, told with first_name"),
        optional("full_name", "string", "name as a whole, told with first_name; null = only its parts, or none"),
        optional("name_source", "string", "program that told the names; null = none named"),
        optional("name_told_at", "timestamp", "when they were told last by whoever is believed"),
        optional("street", "string", "street and number as told: raw personal data; null = none"),
        optional("city", "string", "town, told with street"),
        optional("region", "string", "state or region, told with street"),
        optional("postal_code", "string", "postal code, told with street"),
        optional("country", "string", "country, told with street"),
        optional("address_source", "string", "program that told the address; null = none named"),
        optional("address_told_at", "timestamp", "when it was told last by whoever is believed"),
        optional("language", "string", "language as told: the trait language, else locale; null = none"),
        optional("language_source", "string", "program that told it; null = none named"),
        optional("language_told_at", "timestamp", "when it was told last by whoever is believed"),
        write_time("updated_at", "time of the micro-batch that last wrote the row"),
    ),
)
