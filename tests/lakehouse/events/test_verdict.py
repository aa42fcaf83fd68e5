"""A verdict in its two parts, alike in Python and in Spark."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.events.verdict import detail_of, fault, parts, reason_of

PARTS = {
    None: (None, None),
    fault("oversized"): ("oversized", None),
    fault("unmapped", "shop: time expected"): ("unmapped", "shop: time expected"),
    fault("unmapped", "shop: got '|', expected ','"): ("unmapped", "shop: got '|', expected ','"),
}


def test_a_detail_may_have_a_bar_in_it(spark: SparkSession) -> None:
    assert {verdict: parts(verdict) for verdict in PARTS} == PARTS
    verdicts = spark.createDataFrame([(one,) for one in PARTS], "verdict string")
    rows = verdicts.select("verdict", reason_of(F.col("verdict")), detail_of(F.col("verdict"))).collect()
    assert {row[0]: (row[1], row[2]) for row in rows} == PARTS
