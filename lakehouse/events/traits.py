"""Raw personal traits of an identify event: what matching reads. The one place where personal data is let through."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_TRAITS = "array<struct<name:string,value:string,is_held:boolean>>"
_ADDRESS = {
    "street": ("street",),
    "city": ("city",),
    "region": ("region", "state"),
    "postal_code": ("postal_code", "postalCode"),
    "country": ("country",),
}


def personal_traits() -> Column:
    """Map of trait name in snake_case -> value as sent, null where null was sent: it takes the trait back; null = none, or no
    identify event.

    Every scalar of `traits`, and the parts of traits.address; a part also sent at the top is taken from there. Of two
    names that are one in snake_case (firstName, first_name) the first by name wins. Reads document and message.
    """
    sent = F.map_entries(F.try_variant_get("document", "$[0].traits", "map<string,variant>"))
    address = F.array(*(_part(name, places) for name, places in _ADDRESS.items()))
    found = F.concat(F.transform(sent, _scalar), address)
    held = F.filter(found, lambda trait: trait["is_held"])
    first = F.aggregate(held, F.array().cast(_TRAITS), _unless_named, lambda kept: kept)
    pairs = F.transform(first, lambda trait: F.struct(trait["name"], trait["value"]))
    return F.when((F.trim(F.col("message.type")) == "identify") & (F.size(held) > 0), F.map_from_entries(pairs))


def _part(name: str, places: tuple[str, ...]) -> Column:
    value = F.coalesce(*(F.col(f"message.traits.address.{place}") for place in places))
    return F.struct(F.lit(name).alias("name"), value.alias("value"), _is_said(value).alias("is_held"))


def _is_said(value: Column) -> Column:
    return F.coalesce(F.trim(value) != "", F.lit(False))


def _unless_named(kept: Column, trait: Column) -> Column:
    """The traits kept so far, and this one unless its name is among them: a map refuses a name twice."""
    is_named = F.exists(kept, lambda other: other["name"] == trait["name"])
    return F.when(is_named, kept).otherwise(F.concat(kept, F.array(trait)))


def _scalar(entry: Column) -> Column:
    """struct<name,value,is_held> of one trait; not held when it is an object, an array or blank."""
    kind = F.schema_of_variant(entry["value"])
    said = F.when(~kind.rlike("^(OBJECT|ARRAY)<"), F.try_variant_get(entry["value"], "$", "string"))
    value = F.replace(said, F.lit("\0"), F.lit(""))  # which no other reader of the tables could hold
    is_held = _is_said(value) | (kind == "VOID")
    return F.struct(_snake_case(entry["key"]).alias("name"), value.alias("value"), is_held.alias("is_held"))


def _snake_case(name: Column) -> Column:
    words = F.regexp_replace(F.trim(name), "([a-z0-9])([A-Z])", "$1_$2")
    return F.lower(F.regexp_replace(words, r"[\s.-]++", "_"))
