# Databricks notebook source
# MAGIC %md
# MAGIC # 3. Segments and scores
# MAGIC
# MAGIC Recency, frequency and monetary value say what a customer did; the segment gives it a name; the score says what comes next; the
# MAGIC activation table puts all of it in one row per profile, ready for a campaign.
# MAGIC
# MAGIC Days since the last order are never stored, because they grow without any event. They are counted here, from the newest event
# MAGIC of the lake, so that old data reads as it did on its last day.

# COMMAND ----------

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.lake.delta import Lake
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.rfm import GOLD_RFM
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.spark.session import get_session

config = load()
spark = globals().get("spark") or get_session(config, "notebook")  # a notebook's host gives both
display = globals().get("display", DataFrame.show)
lake = Lake(spark, config)

activation = lake.read(GOLD_ACTIVATION)
newest = activation.agg(F.max("last_seen_at").alias("as_of"))
rfm = lake.read(GOLD_RFM).crossJoin(newest).withColumn("days_since_order", F.datediff("as_of", "last_order_at"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The RFM map
# MAGIC
# MAGIC Rows are frequency, columns are recency, 5 the best of five. The upper right is who you live on; the upper left ordered often and
# MAGIC has gone quiet: the cheapest revenue there is to win back.

# COMMAND ----------

rfm_map = rfm.groupBy("f_score").pivot("r_score", [1, 2, 3, 4, 5]).agg(F.count("profile_id"))
display(rfm_map.na.fill(0).orderBy(F.desc("f_score")))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The segments, by what they bring

# COMMAND ----------

current = lake.read(GOLD_SEGMENTS).where(F.col("valid_to").isNull())
everything = Window.partitionBy(F.lit(1))
segments = (
    current.join(rfm, on="profile_id", how="inner")
    .groupBy("segment")
    .agg(
        F.count("*").alias("customers"),
        F.round(F.avg("days_since_order"), 1).alias("mean_days_since_order"),
        F.round(F.avg("frequency"), 2).alias("mean_orders"),
        F.round(F.avg("monetary"), 2).alias("mean_monetary"),
        F.sum("monetary").alias("revenue"),
    )
    .withColumn("share_of_revenue", F.round(F.try_divide("revenue", F.sum("revenue").over(everything)), 3))
)
display(segments.orderBy(F.desc("revenue")))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who moved
# MAGIC
# MAGIC `gold.segments` keeps its history: a row per stay. Reading each stay against the one before gives the moves between segments.

# COMMAND ----------

stays = lake.read(GOLD_SEGMENTS).withColumn(
    "came_from", F.lag("segment").over(Window.partitionBy("profile_id").orderBy("valid_from"))
)
moves = stays.where(F.col("came_from").isNotNull()).groupBy("came_from", "segment").agg(F.count("*").alias("moves"))
display(moves.orderBy(F.desc("moves"), "came_from", "segment"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Do the scores order people?
# MAGIC
# MAGIC Ten equal groups by `purchase_propensity`, highest first. Orders and spend are the past, which the score has seen, so this shows what
# MAGIC the model looks at, not how good it is; its measure on held-out time stands in the model registry.

# COMMAND ----------

scores = lake.read(GOLD_SCORES).where(F.col("purchase_propensity").isNotNull())
tenths = scores.withColumn("tenth", F.ntile(10).over(Window.orderBy(F.desc("purchase_propensity"), "profile_id")))
deciles = (
    tenths.join(activation.select("profile_id", "frequency", "monetary"), on="profile_id", how="inner")
    .groupBy("tenth")
    .agg(
        F.count("*").alias("profiles"),
        F.round(F.avg("purchase_propensity"), 4).alias("mean_propensity"),
        F.round(F.avg("frequency"), 2).alias("mean_orders"),
        F.round(F.avg("monetary"), 2).alias("mean_monetary"),
    )
)
display(deciles.orderBy("tenth"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Ready to act
# MAGIC
# MAGIC The action is a rule, written down in the configuration. Where marketing consent was denied it is `none`: the gate is in the table,
# MAGIC not in each campaign. A null segment means no order yet, or no model yet.

# COMMAND ----------

actions = activation.groupBy("next_best_action", F.coalesce("segment", F.lit("no segment")).alias("segment")).agg(
    F.count("*").alias("profiles"),
    F.round(F.avg("purchase_propensity"), 3).alias("mean_propensity"),
    F.count_if(~F.coalesce("consent_marketing", F.lit(True))).alias("marketing_denied"),
)
display(actions.orderBy("next_best_action", F.desc("profiles")))

# COMMAND ----------

# MAGIC %md
# MAGIC The list a campaign would start from: customers worth winning back, best first.

# COMMAND ----------

win_back = activation.where(F.col("next_best_action") == "win_back").select(
    "profile_id", "user_ids", "segment", "frequency", "monetary", "last_order_at", "purchase_propensity"
)
display(win_back.orderBy(F.desc("monetary")).limit(20))
