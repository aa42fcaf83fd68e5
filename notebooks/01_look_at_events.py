# Databricks notebook source
# MAGIC %md
# MAGIC # 1. Look at the events
# MAGIC
# MAGIC Every record of the topic stands in `bronze.events`, byte for byte. What kept its contract stands in `silver.events`, once.
# MAGIC What broke it stands in `silver.events_quarantine`, with a reason. Nothing is lost between them:
# MAGIC
# MAGIC > silver + quarantine + duplicates + facts of no person = bronze
# MAGIC
# MAGIC The lake is the one the configuration names: set `STITCHLAKE__LAKE__ROOT` to look at another.

# COMMAND ----------

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE

config = load()
spark = globals().get("spark") or get_session(config, "notebook")  # a notebook's host gives both
display = globals().get("display", DataFrame.show)
lake = Lake(spark, config)

bronze = lake.read(BRONZE_EVENTS)
events = lake.read(SILVER_EVENTS)
quarantine = lake.read(SILVER_EVENTS_QUARANTINE)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Does it add up?
# MAGIC
# MAGIC What is left of bronze after silver and quarantine are duplicates, the same `message_id` with the same content, sent twice; and
# MAGIC what the decision service told of no person: which products can be bought, when experiments began.

# COMMAND ----------

records, accepted, rejected = bronze.count(), events.count(), quarantine.count()
balance = [
    ("bronze", records),
    ("silver", accepted),
    ("quarantine", rejected),
    ("duplicates and facts", records - accepted - rejected),
]
display(spark.createDataFrame(balance, "what string, records long"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What people did
# MAGIC
# MAGIC Six types of event come in; `track` carries the shop. `occurred_at` is the client's clock, corrected for its skew, so a late
# MAGIC event counts on the day it happened.

# COMMAND ----------

kinds = events.groupBy("type", "event").agg(
    F.count("*").alias("events"),
    F.count_distinct("actor_id").alias("actors"),
    F.min("occurred_at").alias("first"),
    F.max("occurred_at").alias("last"),
)
display(kinds.orderBy(F.desc("events")))

# COMMAND ----------

days = events.groupBy(F.to_date("occurred_at").alias("day")).agg(
    F.count("*").alias("events"),
    F.count_distinct("actor_id").alias("actors"),
    F.count_if(F.col("event") == "Order Completed").alias("orders"),
    F.sum(F.when(F.col("event") == "Order Completed", F.col("revenue"))).alias("revenue"),
)
display(days.orderBy("day"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How late do they come?
# MAGIC
# MAGIC A till that was offline sends a whole day at once. Each event counts on the day it happened, however late it comes.

# COMMAND ----------

hours_late = (F.unix_seconds("received_at") - F.unix_seconds("occurred_at")) / 3600
lateness = events.groupBy(F.coalesce("channel", F.lit("unknown")).alias("channel")).agg(
    F.count("*").alias("events"),
    F.round(F.percentile(hours_late, 0.5), 2).alias("median_hours_late"),
    F.round(F.percentile(hours_late, 0.99), 2).alias("p99_hours_late"),
    F.round(F.avg((hours_late > 24).cast("int")), 4).alias("share_a_day_late"),
)
display(lateness.orderBy(F.desc("events")))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What was rejected, and why
# MAGIC
# MAGIC The record stays whole in `value`, so it can be mended and sent again. `detail` names the field, never what a person sent.

# COMMAND ----------

reasons = quarantine.groupBy("reason").agg(F.count("*").alias("records"), F.max("detail").alias("for_example"))
display(reasons.orderBy(F.desc("records")))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Back to the bytes
# MAGIC
# MAGIC Topic, partition and offset lead from any row to the record as it came.

# COMMAND ----------

lineage = ["topic", "partition", "offset"]
largest = quarantine.join(bronze.select(*lineage, "kafka_timestamp"), on=lineage, how="inner").select(
    "reason", "detail", *lineage, "kafka_timestamp", F.length("value").alias("bytes")
)
display(largest.orderBy(F.desc("bytes")).limit(10))
