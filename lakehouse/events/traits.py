"""Raw personal traits of an identify event: what matching reads. The one place where personal data is let through."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_TRAITS = "array<struct<name:string,value:string>>"
_ADDRESS = {
    "street": ("street",),
    "city": ("city",),
    "region": ("region", "state"),
    "postal_code": ("postal_code", "postalCode"),
    "country": ("country",),
}


def personal_traits() -> Column:
    """Map of trait name in snake_case -> value as sent; null = none, or no identify event.

    Every scalar of `traits`, and the parts of traits.address; a part also sent at the top is taken from there. Of two
    names that are one in snake_case (firstName, first_name) the first by name wins. Reads document and message.
    """
    sent = F.map_entries(F.try_variant_get("document", "$[0].traits", "map<string,variant>"))
    address = F.array(*(_part(name, places) for name, places in _ADDRESS.items()))
    found = F.concat(F.transform(sent, _scalar), address)
    held = F.filter(found, lambda trait: F.coalesce(F.trim(trait["value"]) != "", F.lit(False)))
    first = F.aggregate(held, F.array().cast(_TRAITS), _unless_named, lambda kept: kept)
    return F.when((F.col("message.type") == "identify") & (F.size(held) > 0), F.map_from_entries(first))


def _part(name: str, places: tuple[str, ...]) -> Column:
    value = F.coalesce(*(F.col(f"message.traits.address.{place}") for place in places))
    return F.struct(F.lit(name).alias("name"), value.alias("value"))


def _unless_named(kept: Column, trait: Column) -> Column:
    """The traits kept so far, and this one unless its name is among them: a map refuses a name twice."""
    is_named = F.exists(kept, lambda other: other["name"] == trait["name"])
    return F.when(is_named, kept).otherwise(F.concat(kept, F.array(trait)))


def _scalar(entry: Column) -> Column:
    """struct<name,value> of one trait; value null when it is an object, an array or null."""
    is_scalar = ~F.schema_of_variant(entry["value"]).rlike("^(OBJECT|ARRAY)<")
    value = F.when(is_scalar, F.try_variant_get(entry["value"], "$", "string"))
    return F.struct(_snake_case(entry["key"]).alias("name"), value.alias("value"))


def _snake_case(name: Column) -> Column:
    words = F.regexp_replace(F.trim(name), "([a-z0-9])([A-Z])", "$1_$2")
    return F.lower(F.regexp_replace(words, r"[\s.-]++", "_"))
