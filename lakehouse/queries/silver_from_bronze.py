"""silver.events, its quarantine and its faults, made from bronze.events in one batch: what the events query makes of the same records.

For a silver that is lost, or was read by rules that have changed since. The checkpoint of the events query begins anew, and knows what bronze
has: so the query goes on behind it and takes in nothing twice.
"""

from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.errors import LakeError
from lakehouse.events.dedupe import OTHER_CONTENT
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.events.parse import ARRIVED_AT
from lakehouse.events.reasons import FACT, ID_CONFLICT, UNEXPECTED
from lakehouse.lake import checkpoint
from lakehouse.lake.beginnings import beginning
from lakehouse.lake.delta import Lake
from lakehouse.profiles.rebuild import parsed_bronze
from lakehouse.quality.counts import first_broken
from lakehouse.queries import bronze_events, events, unfinished
from lakehouse.queries.known_records import begin, furthest, held_by
from lakehouse.queries.silver_writes import faults
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from lakehouse.tables.expectation import Action


class Judged(NamedTuple):
    """The columns of lakehouse/events/parse.py. rejected: with the reason and detail of quarantine."""

    accepted: DataFrame
    rejected: DataFrame


def transform(parsed: DataFrame) -> Judged:
    """Parsed records -> one event for each message id, the first that arrived, unless an expectation puts it aside; another content of its id
    is a conflict.
    """
    order = (ARRIVED_AT, *BRONZE_EVENTS.key)
    good = parsed.where(F.col("reason").isNull())
    of_content = Window.partitionBy("message_id", "content_hash").orderBy(*order)
    of_id = Window.partitionBy("message_id").orderBy(*order)
    once = good.withColumn("copy", F.row_number().over(of_content)).where("copy = 1").drop("copy")
    ranked = once.withColumn("content", F.row_number().over(of_id))
    conflicts = (
        ranked.where("content > 1")
        .drop("content")
        .withColumns({"reason": F.lit(ID_CONFLICT), "detail": F.lit(OTHER_CONTENT)})
    )
    rejected = parsed.where(F.col("reason").isNotNull() & (F.col("reason") != FACT)).unionByName(conflicts)
    first = ranked.where("content = 1").drop("content")
    breaks = first_broken(SILVER_EVENTS, Action.QUARANTINE)
    if breaks is None:
        return Judged(accepted=first, rejected=rejected)
    aside = first.withColumns({"reason": F.lit(UNEXPECTED), "detail": breaks}).where("detail IS NOT NULL")
    return Judged(accepted=first.where(breaks.isNull()), rejected=rejected.unionByName(aside))


def refill(lake: Lake, declared: Declarations = NOTHING_DECLARED) -> None:
    """Replace the tables, and let the checkpoint of the events query begin anew. Profiles are to be rebuilt after it.

    `declared`: how records are read; its properties are columns of silver.events.

    Raises:
        LakeError: silver has records that bronze has not: it would lose them; or bronze had more, that have gone by age.
    """
    begun = beginning(lake, BRONZE_EVENTS)
    if begun is not None:
        raise LakeError(
            f"bronze.events: begins on {begun.day.isoformat()}, got records of before gone by retention.bronze_days, expected all of them: silver.events has "
            "what they said, and would lose it. Profiles are made again from silver.events by ./spark-submit.sh batch/rebuild.py"
        )
    archived = held_by(lake, bronze_events.KNOWN)["records"]
    _refuse_loss(furthest(held_by(lake, events.KNOWN).values()), archived)
    table = events.events_table(lake, declared)
    parsed = parsed_bronze(lake, declared).persist()
    judged = transform(parsed)
    lake.overwrite(judged.rejected.withColumn("quarantined_at", F.current_timestamp()), SILVER_EVENTS_QUARANTINE)
    accepted = judged.accepted.persist()
    lake.overwrite(faults(accepted), SILVER_EVENT_FAULTS)
    lake.overwrite(accepted, table)
    accepted.unpersist()
    parsed.unpersist()
    path = lake.checkpoint(events.NAME)
    checkpoint.delete(lake.spark, path)
    begin(lake, events.NAME, dict.fromkeys(events.KNOWN, archived))
    unfinished.forget(lake, events.NAME)


def _refuse_loss(of_silver: checkpoint.Ends, archived: checkpoint.Ends) -> None:
    for topic, partitions in of_silver.items():
        for partition, end in partitions.items():
            has = archived.get(topic, {}).get(partition, 0)
            if has < end:
                raise LakeError(
                    f"bronze.events: ends before silver, got offset {has} of topic '{topic}', partition {partition}, expected {end}: what "
                    "lies between would be lost. Let it catch up: ./spark-submit.sh streaming/bronze_events.py --available-now"
                )
