"""bronze.events: every Kafka record as it came, exactly once, also where its checkpoint is gone. The archive all else is rebuilt from."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse.kafka.source import read_records
from lakehouse.lake.delta import Lake, conform
from lakehouse.lake.transaction import Transaction, run_of
from lakehouse.lake.turns import turn
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.queries.known_records import is_news, known
from lakehouse.queries.lost_records import refuse_lost
from lakehouse.spark.streams import trigger
from lakehouse.tables.contract import Table
from lakehouse.tables.events import BRONZE_EVENTS

NAME = "bronze_events"
KNOWN = {"records": BRONZE_EVENTS}


class SinkTransaction(Transaction):
    """Noted as Spark's own Delta sink does, which wrote this table once: a batch it had taken is not appended again."""

    def of(self, table: Table) -> str:
        return self.application


def transform(records: DataFrame) -> DataFrame:
    """Kafka records -> rows of bronze.events; `ingested_at` is the micro-batch's own time, the same on a replay."""
    rows = records.withColumnRenamed("timestamp", "kafka_timestamp").withColumn("ingested_at", F.current_timestamp())
    return conform(rows, BRONZE_EVENTS)


def start(lake: Lake, *, available_now: bool, accepts_loss: bool = False) -> StreamingQuery:
    """Start the query; with `available_now` it drains the topic and ends. `accepts_loss`: see lakehouse/kafka/source.py.

    Raises:
        LakeError: records that it has not read are gone from the topic, and nobody accepts that.
    """
    config = lake.config.bronze_events
    held = known(lake, NAME, KNOWN)
    if not accepts_loss:
        refuse_lost(lake, NAME, held)
    records = read_records(lake, config.max_offsets_per_trigger, query=NAME, accepts_loss=accepts_loss)
    upkeep = Upkeep(lake, [BRONZE_EVENTS])

    def write(rows: DataFrame, batch_id: int) -> None:
        with turn(lake.root, BRONZE_EVENTS):  # an erasure may be at it
            lake.append(rows, BRONZE_EVENTS, SinkTransaction(application=run_of(rows), batch_id=batch_id))
            upkeep.pause()

    return (
        transform(records.where(is_news(held["records"])))
        .writeStream.queryName(NAME)
        .option("checkpointLocation", lake.checkpoint(NAME))
        .foreachBatch(write)
        .trigger(**trigger(config.trigger_seconds, available_now=available_now))
        .start()
    )
