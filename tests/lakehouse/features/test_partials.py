"""Partial sums of texts: exact up to the bound, a canonical sample from there on."""

import random

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.features.partials import MOST_VALUES, VALUE_COUNT, distinct, kept

SEED = 5


def test_beyond_the_bound_the_kept_values_are_the_same_in_any_batching_and_their_number_is_near(
    spark: SparkSession,
) -> None:
    texts = [f"product-{n}" for n in range(4 * MOST_VALUES)] * 2
    random.Random(SEED).shuffle(texts)
    one = F.array(
        F.struct(F.xxhash64("text").alias("hash"), F.col("text").alias("value"), F.lit(1).cast("bigint").alias("count"))
    )
    single = spark.createDataFrame([(text, n % 3) for n, text in enumerate(texts)], "text string, batch int")
    counts = F.flatten(F.collect_list(one.cast(f"array<{VALUE_COUNT}>")))
    at_once = single.agg(kept(counts).alias("counts"))
    parts = single.groupBy("batch").agg(kept(counts).alias("counts"))
    in_parts = parts.agg(kept(F.flatten(F.collect_list("counts"))).alias("counts"))
    hashes = F.transform("counts", lambda each: each["hash"])
    (told,) = (
        at_once.join(in_parts.withColumnRenamed("counts", "others"))
        .select(
            F.col("counts") == F.col("others"),
            F.size("counts"),
            distinct(hashes),
            F.array_distinct(F.transform("counts", lambda e: e["count"])),
        )
        .collect()
    )
    is_same, size, estimate, how_often = told
    assert (is_same, size, how_often) == (True, MOST_VALUES, [2])
    assert abs(estimate / (4 * MOST_VALUES) - 1) < 0.1
