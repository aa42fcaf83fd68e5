"""Microseconds of an event in `events.parse`, as a multiple of what Spark's own from_json takes to read the same bytes.

    ./spark-submit.sh tests/benchmarks/parse.py [--events 100000] [--runs 5]

Records lie in memory, results go nowhere: what is left is the parse. The first run pays for the JVM's compiler
and for starting the Python workers, and is told apart. Figures are of CPU, of this process, the JVM and the Python workers, the last also
by themselves: on a machine that others use the clock says little.
"""

import argparse
import json
import time
from statistics import median

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.events.parse import parse
from lakehouse.job import run
from lakehouse.spark.session import get_session
from tests.benchmarks.machine import cpu_by_program, machine

SEED = 7
_JVM = "java"
# The fields that an event is read for, as text: the yardstick stays as it is, whatever the parse becomes.
YARDSTICK = (
    "struct<type:string,messageId:string,userId:string,anonymousId:string,previousId:string,groupId:string,"
    "event:string,name:string,originalTimestamp:string,timestamp:string,sentAt:string,"
    "traits:struct<email:string,phone:string,loyalty_id:string,loyaltyId:string,address:struct<street:string,"
    "city:string,region:string,state:string,postal_code:string,postalCode:string,country:string>>,"
    "context:struct<traits:struct<email:string,phone:string,loyalty_id:string,loyaltyId:string>,"
    "device:struct<id:string>,session_id:string,sessionId:string,campaign:struct<name:string>,channel:string,"
    "userAgent:string,page:struct<url:string>,library:struct<name:string>>,properties:struct<email:string,"
    "phone:string,loyalty_id:string,loyaltyId:string,order_id:string,orderId:string,product_id:string,"
    "productId:string,session_id:string,sessionId:string,currency:string,coupon:string,coupon_id:string,"
    "couponId:string,coupon_name:string,url:string,query:string,revenue:string,total:string,value:string,"
    "price:string,quantity:string>,channel:string,receivedAt:string>"
)


def seconds(frame: DataFrame) -> tuple[float, float]:
    """Of CPU, to compute every column of every row; and what of it is the JVM's."""
    before = cpu_by_program()
    frame.write.format("noop").mode("overwrite").save()
    after = cpu_by_program()
    return sum(after.values()) - sum(before.values()), after[_JVM] - before[_JVM]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="parse")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(argv)
    config = load()
    spark = get_session(config, "parse")
    values = [message.value for message in Shop(options.events, SEED).messages()]
    rows = pa.table({"value": pa.array(values, pa.binary()), "offset": pa.array(range(len(values)), pa.int64())})
    cores = spark.sparkContext.defaultParallelism
    records = (
        spark.createDataFrame(rows)
        .withColumns(
            {
                "topic": F.lit("events"),
                "partition": F.lit(0),
                "timestamp": F.current_timestamp(),
                "arrived_at": F.current_timestamp(),
            }
        )
        .repartition(cores)
        .cache()
    )
    records.count()
    parsed = parse(records, config)
    plain = records.select(F.from_json(F.col("value").cast("string"), YARDSTICK).alias("message"))
    started = time.perf_counter()
    seconds(parsed)
    cold = time.perf_counter() - started
    seconds(plain)
    runs = [(*seconds(parsed), seconds(plain)[0]) for _ in range(options.runs)]
    ours, jvm, theirs = (median(side) / len(values) * 1e6 for side in zip(*runs, strict=True))
    result = {
        "benchmark": "parse",
        "events": len(values),
        "times_from_json": round(ours / theirs, 2),
        "core_microseconds": round(ours, 1),
        "of_the_jvm": round(jvm, 1),
        "from_json_core_microseconds": round(theirs, 1),
        "cold_seconds": round(cold, 1),
        "runs": options.runs,
        **machine(config),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)
