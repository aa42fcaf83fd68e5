"""silver.decision_log and its quarantine: what the decision service logged to Kafka, each message once.

Drains the topic and ends; streams may run meanwhile, for nothing else writes these tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.catalog import of_part
from lakehouse.config import Config
from lakehouse.events.erased import hold_back
from lakehouse.kafka import clients
from lakehouse.kafka.broker import reachable
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import DECISION_LOG
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.spark.opened_lake import opened
from lakehouse.tables.decisions import SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE

NAME = "decision_log"
KINDS = ("decision", "exposure", "outcome")
_NEEDED = ("log_id", "kind", "decision_id", "unit", "action", "policy_version", "occurred_at")
_MESSAGE = (
    "log_id string, kind string, decision_id string, unit string, experiment string, arm string, metric string, value double, "
    "propensity double, action string, policy_version string, context string, occurred_at bigint"
)


def transform(records: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Kafka records -> rows of the log, and rows of its quarantine."""
    read = records.withColumn("message", F.from_json(F.col("value").cast("string"), _MESSAGE))
    missing = F.coalesce(*(F.when(F.col(f"message.{name}").isNull(), "missing_field") for name in _NEEDED))
    is_json = F.try_parse_json(F.col("value").cast("string")).isNotNull()
    reason = F.when(~F.coalesce(is_json, F.lit(False)), "no_json").otherwise(
        F.coalesce(missing, F.when(~F.col("message.kind").isin(*KINDS), "unknown_kind"))
    )
    judged = read.withColumn("reason", reason).withColumnRenamed("timestamp", "logged_at")
    told = judged.where(F.col("reason").isNull()).select("message.*", "logged_at")
    rows = told.withColumn("occurred_at", F.timestamp_millis("occurred_at")).dropDuplicates(["log_id"])
    bad = judged.where(F.col("reason").isNotNull()).select("partition", "offset", "reason", "value", "logged_at")
    return rows, bad


def drain(lake: Lake) -> None:
    """Take in what the topic holds; what was taken in before, or twice, changes nothing."""
    for table in (SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE):
        lake.create(table)

    told = hold_back(lake)

    def write(records: DataFrame, _: int) -> None:
        rows, bad = transform(records.persist())
        rows = told.left_of_log(rows)
        lake.upsert(rows, SILVER_DECISION_LOG, update_when="false")
        lake.upsert(bad, SILVER_DECISION_LOG_QUARANTINE, update_when="false")
        records.unpersist()

    query = (
        lake.spark.readStream.format("kafka")
        .options(**clients.spark(lake.config.kafka))
        .option("subscribe", lake.config.decision_log.topic)
        .option("startingOffsets", "earliest")
        .load()
        .writeStream.queryName(NAME)
        .option("checkpointLocation", lake.checkpoint(NAME))
        .foreachBatch(write)
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


@contextmanager
def drained(config: Config, job: str) -> Iterator[Lake]:
    """The lake, its decision log as full as the topic, and nobody else's to write meanwhile. `job`: names the session.

    Afterwards the tables of this part are kept in shape.
    """
    config = reachable(config)
    with opened(config, job, part=DECISION_LOG) as lake:
        drain(lake)
        yield lake
        Upkeep(lake, lake.stored(of_part(DECISION_LOG))).all(is_bounded=True)
