"""Kafka record -> accepted event, fact or rejected record. One row in, one row out.

Used unchanged by the events query, by batch/rebuild.py and by batch/order_balance.py. The message is read in Python, once, by event_row.py: one
reading for the lake and for the online side, no code for Spark to generate and compile, and no key in a plan. The lane, whose Real-Time
Mode takes no Python, has a part of it in Spark SQL (lakehouse/lane/reading).
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events import verdict
from lakehouse.events.content_hash import content_hash
from lakehouse.events.event_rows import NOTHING_DECLARED, OF_RECORD, Declarations, event_row_type, event_rows
from lakehouse.spark.arrow_function import arrow_function
from lakehouse.tables.events import SILVER_EVENTS

ARRIVED_AT = "arrived_at"


def parse(records: DataFrame, config: Config, declared: Declarations = NOTHING_DECLARED) -> DataFrame:
    """Every record with the columns of SILVER_EVENTS, those of declared properties, and its verdict.

    `records`: value, topic, partition, offset, timestamp of the Kafka source, or the same from bronze.events; and `arrived_at`,
    the wall clock of whoever took the record in. `declared`: how records are read, and what events are held to.

    Besides: `traits` map<string,string>, `faults`, `source`, `fact`, see EventRow; `value`, the bytes; `kafka_timestamp`, `arrived_at`; `reason`,
    `detail`: null when the event is accepted, reasons.FACT when it is a fact, else what rejects it; the rest of a rejected record is
    what could be read.
    No record makes this fail.
    """
    rows = arrow_function(event_rows(config, declared), event_row_type(declared))
    read = rows("value", "timestamp", ARRIVED_AT, *(["topic"] if declared.documents is not None else []))
    known = records.select(
        *("topic", "partition", "offset", "value"),
        F.col("timestamp").alias("kafka_timestamp"),
        ARRIVED_AT,
        content_hash(F.col("value")).alias("content_hash"),
        _once(read).alias("row"),
    )
    columns = [F.col(name if name in OF_RECORD else f"row.{name}") for name in SILVER_EVENTS.column_names]
    columns += [F.col(f"row.declared.{one.column.name}") for one in declared.properties]
    broken = F.col("row.verdict")
    return known.select(
        *columns,
        *("row.traits", "value", "kafka_timestamp", ARRIVED_AT, "row.faults", "row.source", "row.fact"),
        verdict.reason_of(broken).alias("reason"),
        verdict.detail_of(broken).alias("detail"),
    )


def _once(column: Column) -> Column:
    """The column, which no filter of a caller is ever pushed below: Spark would write the reading into the filter, and read twice.

    It does not where an expression is not deterministic; a partition's number is not, in its book.
    """
    return F.when(F.spark_partition_id() >= 0, column)
