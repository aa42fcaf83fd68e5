"""silver.events, its quarantine and its faults, made from bronze.events in one batch: what the events query makes of the same records.

For a silver that is lost, or was read by rules that have changed since. The checkpoint of the events query begins anew, and knows what bronze
has: so the query goes on behind it and takes in nothing twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.errors import LakeError
from lakehouse.events.declared_properties import DeclaredProperty
from lakehouse.events.dedupe import OTHER_CONTENT
from lakehouse.events.parse import ARRIVED_AT, parse
from lakehouse.events.reasons import FACT, ID_CONFLICT
from lakehouse.events.tracking_plan import UNPLANNED, TrackingPlan
from lakehouse.lake import checkpoint
from lakehouse.lake.delta import Lake
from lakehouse.profiles.rebuild import bronze_records
from lakehouse.queries import bronze_events, events
from lakehouse.queries.known_records import begin, furthest, held_by
from lakehouse.queries.silver_writes import faults
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE


class Judged(NamedTuple):
    """The columns of lakehouse/events/parse.py. rejected: with the reason and detail of quarantine."""

    accepted: DataFrame
    rejected: DataFrame


def transform(parsed: DataFrame) -> Judged:
    """Parsed records -> one event for each message id, the first that arrived; another content of its id is a conflict."""
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
    broken = parsed.where(F.col("reason").isNotNull() & (F.col("reason") != FACT))
    return Judged(accepted=ranked.where("content = 1").drop("content"), rejected=broken.unionByName(conflicts))


def refill(lake: Lake, declared: Sequence[DeclaredProperty] = (), plan: TrackingPlan = UNPLANNED) -> None:
    """Replace the tables, and let the checkpoint of the events query begin anew. Profiles are to be rebuilt after it.

    `declared`: the properties that are columns of silver.events. `plan`: what events are held to.

    Raises:
        LakeError: silver has records that bronze has not: it would lose them.
    """
    archived = held_by(lake, bronze_events.KNOWN)["records"]
    _refuse_loss(furthest(held_by(lake, events.KNOWN).values()), archived)
    table = events.events_table(lake, declared)
    parsed = parse(bronze_records(lake), lake.config, declared, plan).persist()
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


def _refuse_loss(of_silver: checkpoint.Ends, archived: checkpoint.Ends) -> None:
    for topic, partitions in of_silver.items():
        for partition, end in partitions.items():
            has = archived.get(topic, {}).get(partition, 0)
            if has < end:
                raise LakeError(
                    f"bronze.events: ends before silver, got offset {has} of topic '{topic}', partition {partition}, expected {end}: what "
                    "lies between would be lost. Let it catch up: ./spark-submit.sh streaming/bronze_events.py --available-now"
                )
