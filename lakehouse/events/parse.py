"""Kafka record -> accepted event, fact or rejected record. One row in, one row out.

Used unchanged by the events query, by batch/rebuild.py and by batch/order_balance.py. The message is read in Python, once, by event_row.py: one
reading for the lake and for the online side, no code for Spark to generate and compile, and no key in a plan. The lane, whose Real-Time
Mode takes no Python, has a part of it in Spark SQL (lakehouse/lane/reading).
"""

from pyspark.sql import DataFrame

from lakehouse.config import Config
from lakehouse.events.event_rows import NOTHING_DECLARED, RECORD, Declarations, event_row_type, event_rows

ARRIVED_AT = "arrived_at"


def parse(records: DataFrame, config: Config, declared: Declarations = NOTHING_DECLARED) -> DataFrame:
    """Every record with the columns of SILVER_EVENTS, those of declared properties, and its verdict.

    `records`: value, topic, partition, offset, timestamp of the Kafka source, or the same from bronze.events; and `arrived_at`,
    the wall clock of whoever took the record in. `declared`: how records are read, and what events are held to.

    Besides: `traits` map<string,string>, `faults`, `source`, `fact`, see EventRow; `value`, the bytes; `kafka_timestamp`, `arrived_at`; `reason`,
    `detail`: null when the event is accepted, reasons.FACT when it is a fact, else what rejects it; the rest of a rejected record is
    what could be read.
    No record makes this fail.

    Python hands whole rows back, those columns too that it has only passed on: for the JVM they are one copy then, and no filter of a
    caller is pushed below the reading, which would read twice.
    """
    return records.select(*RECORD).mapInArrow(event_rows(config, declared), event_row_type(declared))
