# Databricks notebook source
# MAGIC %md
# MAGIC # 2. From an identifier to a person
# MAGIC
# MAGIC One event carries a bundle of identifiers: an `anonymous_id`, perhaps a `user_id`, an e-mail, a device. That exact bundle is an
# MAGIC **actor**, and never changes. Which **profile** an actor belongs to does change, whenever the graph grows.
# MAGIC
# MAGIC | table | one row per |
# MAGIC |---|---|
# MAGIC | `silver.identity_edges` | actor and identifier |
# MAGIC | `silver.identity_map` | actor, with its profile |
# MAGIC | `silver.identity_log` | change of an actor's profile |
# MAGIC
# MAGIC This notebook takes the profile with the most actors and walks back to what ties them together.

# COMMAND ----------

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.lake.delta import Lake
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.spark.session import get_session
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_MAP

config = load()
spark = globals().get("spark") or get_session(config, "notebook")  # a notebook's host gives both
display = globals().get("display", DataFrame.show)
lake = Lake(spark, config)

edges = lake.read(SILVER_IDENTITY_EDGES)
members = lake.read(SILVER_IDENTITY_MAP)
log = lake.read(SILVER_IDENTITY_LOG)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How many actors make a person?
# MAGIC
# MAGIC Most have one. A long tail is what guards are for: a profile of hundreds is a kiosk or a test account, not a person.

# COMMAND ----------

sizes = members.groupBy("profile_id").agg(F.count("*").alias("actors"))
display(sizes.groupBy("actors").agg(F.count("*").alias("profiles")).orderBy("actors"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## One profile, all its evidence
# MAGIC
# MAGIC Personal values are keyed tokens here, so we see that two actors gave the same e-mail without seeing it. `carried_by` counts the
# MAGIC actors of the whole lake: an identifier carried by one actor only ties it to nobody.

# COMMAND ----------

chosen = sizes.orderBy(F.desc("actors"), "profile_id").limit(1).select("profile_id")
same = Window.partitionBy("identifier_type", "identifier_token")
evidence = (
    edges.withColumn("carried_by", F.count("*").over(same))
    .join(members.join(chosen, on="profile_id", how="left_semi"), on="actor_id", how="inner")
    .select("profile_id", "actor_id", "identifier_type", "identifier_token", "carried_by", "cause")
)
display(evidence.orderBy(F.desc("carried_by"), "identifier_type", "identifier_token", "actor_id").limit(100))

# COMMAND ----------

# MAGIC %md
# MAGIC ## How it came to be
# MAGIC
# MAGIC The log tells the same story in time. `create` starts a profile, `attach` adds an actor, `merge` makes two profiles one: the
# MAGIC older id survives. A `split` undoes a merge when evidence turns up that it joined two people.

# COMMAND ----------

history = log.join(chosen, on=log["to_profile_id"] == chosen["profile_id"], how="left_semi")
display(
    history.select("changed_at", "type", "actor_id", "from_profile_id", "to_profile_id", "cause")
    .orderBy("changed_at", "batch_id", "change_id")
    .limit(100)
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Shared, yet kept apart
# MAGIC
# MAGIC A television in the living room belongs to two people. Both profiles carry it; it joins neither, since a profile holds one `user_id`.
# MAGIC These are the identifiers a marketer must not address anybody by.

# COMMAND ----------

shared = (
    edges.join(members, on="actor_id", how="inner")
    .groupBy("identifier_type", "identifier_token")
    .agg(F.count_distinct("profile_id").alias("profiles"), F.count("*").alias("actors"))
    .where(F.col("profiles") > 1)
)
display(shared.orderBy(F.desc("profiles"), F.desc("actors"), "identifier_type", "identifier_token").limit(20))

# COMMAND ----------

# MAGIC %md
# MAGIC ## What stitching is worth
# MAGIC
# MAGIC Without the map a retailer counts actors; with it, people. Activity before login belongs to the profile from the day it happened,
# MAGIC because daily figures are kept by actor and rolled up through the map at read.

# COMMAND ----------

activity = lake.read(SILVER_ACTIVITY_DAILY).join(members.select("actor_id", "profile_id"), on="actor_id", how="inner")
known = activity.withColumn("is_named", F.max(F.col("user_id").isNotNull()).over(Window.partitionBy("profile_id")))
worth = known.agg(
    F.count_distinct("actor_id").alias("actors"),
    F.count_distinct("profile_id").alias("profiles"),
    F.sum("event_count").alias("events"),
    F.sum(F.when(F.col("user_id").isNotNull(), F.col("event_count"))).alias("events_with_user_id"),
    F.sum(F.when(F.col("is_named"), F.col("event_count"))).alias("events_of_a_known_person"),
)
display(worth)
