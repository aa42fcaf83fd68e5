"""Facts -> partial sums, and partial sums added to each other. One aggregation for all features, however many there are.

A partial sum of one filter over one minute or day of an actor: whatever was late, shuffled or came in whichever batches, the sums are
those of one pass. Sums are exact decimals; first and last are by time, then by message and line; the values of a text are those with the
MOST_VALUES smallest hashes, so that which ones are kept does not depend on the order either. Up to MOST_VALUES that is all of them. Beyond, it is a
uniform sample of the distinct values, each counted exactly.
Source of the estimate: Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan (2002), Counting distinct elements in a data stream, RANDOM,
algorithm 2; unbiased form (k - 1) / kth: Beyer, Haas, Reinwald, Sismanis, Gemulla (2007), SIGMOD, section 4.1.
"""

from collections.abc import Callable
from functools import cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.events.money import EXACT
from lakehouse.features.facts import exact

MOST_VALUES = 1024  # distinct values kept exactly; beyond, one standard error is 1 / sqrt(MOST_VALUES - 2), 3 percent
VALUE_COUNT = "struct<hash:bigint,value:string,count:bigint>"
_SEEN = "struct<at:timestamp,message_id:string,line:int,number:double,text:string>"
PARTIAL_FIELDS = {
    "name": "string",
    "at": "timestamp",
    "events": "bigint",
    "values": "bigint",
    "total": EXACT,
    "least": "double",
    "most": "double",
    "first": _SEEN,
    "last": _SEEN,
    "last_at": "timestamp",
    "counts": f"array<{VALUE_COUNT}>",
}
PARTIAL = f"struct<{','.join(f'{name}:{type_}' for name, type_ in PARTIAL_FIELDS.items())}>"
_LEAF = ("actor_id", "activity_date")
_SUM = (*_LEAF, "name", "at")
_HASHES = 2.0**64


def of_facts(facts: DataFrame) -> DataFrame:
    """[actor_id, activity_date, fields of FACT] -> one row of PARTIAL_FIELDS for each fact."""
    return facts.select(*_LEAF, "name", "at", *_of_fact())


@cache
def _of_fact() -> list[Column]:
    has_value = F.col("number").isNotNull() | F.col("text").isNotNull()
    seen = F.when(has_value, F.struct(F.col("occurred_at").alias("at"), "message_id", "line", "number", "text"))
    counted = F.array(
        F.struct(F.xxhash64("text").alias("hash"), F.col("text").alias("value"), F.lit(1).cast("bigint").alias("count"))
    )
    return [
        F.lit(1).cast("bigint").alias("events"),
        has_value.cast("bigint").alias("values"),
        exact(F.col("number")).alias("total"),
        F.col("number").alias("least"),
        F.col("number").alias("most"),
        seen.alias("first"),
        seen.alias("last"),
        F.col("occurred_at").alias("last_at"),
        F.when(F.col("keeps_values") & F.col("text").isNotNull(), counted)
        .cast(f"array<{VALUE_COUNT}>")
        .alias("counts"),
    ]


def summed(partials: DataFrame) -> DataFrame:
    """Rows of PARTIAL_FIELDS, several of an actor, day, name and minute -> one row of actor and day: `partials`, in order."""
    sums = partials.groupBy(*_SUM).agg(*sums_of_partials(), kept(_all("counts")).alias("counts"))
    one = F.struct(*PARTIAL_FIELDS).cast(PARTIAL)
    return sums.groupBy(*_LEAF).agg(F.array_sort(F.collect_list(one)).alias("partials"))


@cache
def sums_of_partials() -> tuple[Column, ...]:
    """What is a plain aggregate of them: all fields but `counts`."""
    return (
        F.sum("events").alias("events"),
        F.sum("values").alias("values"),
        F.sum("total").cast(EXACT).alias("total"),
        F.min("least").alias("least"),
        F.max("most").alias("most"),
        F.min("first").alias("first"),
        F.max("last").alias("last"),
        F.max("last_at").alias("last_at"),
    )


def _all(counts: str) -> Column:
    return F.flatten(F.collect_list(counts))


def kept(counts: Column) -> Column:
    """array<VALUE_COUNT> of several sums -> of one: by hash, those MOST_VALUES with the smallest; null of none."""

    def of_sorted(in_order: Column) -> Column:
        places = F.sequence(F.lit(0), F.size(in_order) - 1)
        begins = F.filter(places, lambda i: (i == 0) | (F.get(in_order, i)["hash"] != F.get(in_order, i - 1)["hash"]))
        return bound(begins, lambda starts: F.transform(F.slice(starts, 1, MOST_VALUES), of_run(in_order, starts)))

    def of_run(in_order: Column, starts: Column) -> Callable[[Column, Column], Column]:
        def united(start: Column, number: Column) -> Column:
            end = F.coalesce(F.get(starts, number + 1), F.size(in_order))
            run = F.slice(in_order, start + 1, end - start)
            sum_ = F.aggregate(run, F.lit(0).cast("bigint"), lambda total, one: total + one["count"])
            first = F.get(in_order, start)
            return F.struct(first["hash"].alias("hash"), first["value"].alias("value"), sum_.alias("count"))

        return united

    return F.when(F.size(counts) > 0, bound(F.array_sort(counts), of_sorted))


def bound(value: Column, body: Callable[[Column], Column]) -> Column:
    """`body` of a value that is computed once: in a lambda, what stands outside is computed again for each element."""
    return F.get(F.transform(F.array(value), body), F.lit(0))


def distinct(hashes: Column) -> Column:
    """How many values there are, of the MOST_VALUES smallest distinct hashes in order: exact below that number, an estimate from there on."""
    share = (F.element_at(hashes, MOST_VALUES).cast("double") + F.lit(_HASHES / 2)) / F.lit(_HASHES)
    estimated = F.round(F.lit(float(MOST_VALUES - 1)) / share).cast("bigint")
    return F.when(F.size(hashes) < MOST_VALUES, F.size(hashes).cast("bigint")).otherwise(estimated)
