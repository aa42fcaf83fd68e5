"""Raw personal traits of an identify event: what matching reads. The one place where personal data is let through."""

from pyspark.sql import Column
from pyspark.sql import functions as F

ADDRESS = ("street", "city", "region", "postal_code", "country")


def personal_traits(document: Column) -> Column:
    """Map of trait name in snake_case -> value as sent; null = none, or no identify event.

    Every scalar of `traits`, and the parts of traits.address; a part also sent at the top is taken from there. Of two
    names that are one in snake_case (firstName, first_name) the first by name wins. Reads type and ADDRESS columns.
    """
    sent = F.map_entries(F.try_variant_get(document, "$[0].traits", "map<string,variant>"))
    address = F.array(*(F.struct(F.lit(name).alias("name"), F.col(name).alias("value")) for name in ADDRESS))
    found = F.concat(F.transform(sent, _scalar), address)
    held = F.filter(found, lambda trait: F.coalesce(F.trim(trait["value"]) != "", F.lit(False)))
    names = F.transform(held, lambda trait: trait["name"])
    first = F.filter(held, lambda trait, at: F.array_position(names, trait["name"]) == at + 1)
    return F.when((F.col("type") == "identify") & (F.size(first) > 0), F.map_from_entries(first))


def _scalar(entry: Column) -> Column:
    """struct<name,value> of one trait; value null when it is an object, an array or null."""
    is_scalar = ~F.schema_of_variant(entry["value"]).rlike("^(OBJECT|ARRAY)<")
    value = F.when(is_scalar, F.try_variant_get(entry["value"], "$", "string"))
    return F.struct(_snake_case(entry["key"]).alias("name"), value.alias("value"))


def _snake_case(name: Column) -> Column:
    words = F.regexp_replace(F.trim(name), "([a-z0-9])([A-Z])", "$1_$2")
    return F.lower(F.regexp_replace(words, r"[\s.-]++", "_"))
