"""Events -> the facts that declared features are made of: one for each filter that lets an event, or a line of its order, through.

All filters and values are columns of one pass over the events: what a feature more costs is its filter.
"""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.events.money import EXACT
from lakehouse.features.definition import MINUTE, Features, Partial, Word
from lakehouse.tables.contract import RATE

FACT = (
    "struct<name:string,at:timestamp,occurred_at:timestamp,message_id:string,line:int,number:double,text:string,"
    "keeps_values:boolean>"
)
LEAF_COLUMNS = (
    "message_id",
    "type",
    "event",
    "occurred_at",
    "product_id",
    "order_id",
    "revenue",
    "currency",
    "lines",
    "location",
)
MOST = 1e17  # a sum of 10^11 of them is still one of EXACT


def facts(features: Features, rate: Column) -> Column:
    """array<FACT> of one event, in no order. `rate`: units of the default currency for one of the event's; null = it names none, and 1 is taken.

    Reads LEAF_COLUMNS and `features.reads`.
    """
    rate = F.coalesce(rate, F.lit(1).cast(RATE))
    words = event_words(rate)
    of_events = [
        _fact(partial, words.__getitem__, F.lit(0)) for partial in features.partials if partial.source == "events"
    ]
    by_line = [partial for partial in features.partials if partial.source == "lines"]
    told = [F.array_compact(F.array(*of_events))] if of_events else []
    if by_line:

        def of_line(line: Column, number: Column) -> Column:
            known = EventWords({**words, **line_words(line, rate)})
            return F.array_compact(F.array(*(_fact(partial, known.__getitem__, number) for partial in by_line)))

        told.append(F.coalesce(F.flatten(F.transform("lines", of_line)), F.array().cast(f"array<{FACT}>")))
    return F.concat(*told) if told else F.array().cast(f"array<{FACT}>")


class EventWords(dict[str, Column]):
    """The columns of an event by word; a declared property is a column of its own name."""

    def __missing__(self, name: str) -> Column:
        return F.col(name)


def event_words(rate: Column) -> Mapping[str, Column]:
    """The words whose column has another name, or needs computing."""
    return EventWords(
        event_type=F.col("type"),
        event_name=F.when(F.col("type") == "track", F.col("event")),
        amount=(F.col("revenue") * rate).cast("double"),
        device=F.col("agent.device_class"),
        browser=F.col("agent.browser"),
        traffic_channel=F.col("traffic.channel"),
        traffic_source=F.col("traffic.source"),
        country=F.col("location.country"),
    )


def line_words(line: Column, rate: Column) -> Mapping[str, Column]:
    return {
        "product_id": line["product_id"],
        "product_name": line["name"],
        "quantity": line["quantity"].cast("double"),
        "price": F.try_multiply(line["price"], rate).cast("double"),
    }


def _fact(partial: Partial, word: Word, line: Column) -> Column:
    grain = "minute" if partial.grain == MINUTE else "day"
    fact = F.struct(
        F.lit(partial.name).alias("name"),
        F.date_trunc(grain, F.col("occurred_at")).alias("at"),
        F.col("occurred_at"),
        F.col("message_id"),
        line.cast("int").alias("line"),
        (F.lit(None).cast("double") if partial.number is None else _finite(partial.number(word))).alias("number"),
        (F.lit(None).cast("string") if partial.text is None else partial.text(word)).alias("text"),
        F.lit(partial.keeps_values).alias("keeps_values"),
    )
    return F.when(partial.condition(word), fact)


def _finite(number: Column) -> Column:
    """The number as every sum takes it; null where it is none, or beyond any sum. Zero has no sign."""
    number = number.cast("double")
    return F.when(F.abs(number) <= F.lit(MOST), number + F.lit(0.0))


def exact(number: Column) -> Column:
    """The number as it is added: such sums are the same in any order."""
    return number.cast(EXACT)
