"""Contracts of what is written down about running the lake: ops.lost_records."""

from lakehouse.tables.contract import Table, required, write_time
from lakehouse.tables.people import Nobody

OPS_LOST_RECORDS = Table(
    name="ops.lost_records",
    grain="one row per query and range of records that were gone from the topic before it read them, and that somebody accepted as lost",
    people=Nobody("of ranges of records that are gone"),
    key=("query", "topic", "partition", "first_offset"),
    owner="batch/accept_loss.py",
    columns=(
        required("query", "string", "query that had not read them: bronze_events or events"),
        required("topic", "string", "Kafka topic"),
        required("partition", "bigint", "Kafka partition"),
        required("first_offset", "bigint", "offset of the first that is gone"),
        required("end_offset", "bigint", "offset of the first that was there again"),
        required("accepted_by", "string", "who accepted the loss"),
        required("reason", "string", "why"),
        write_time("accepted_at", "when"),
    ),
)
