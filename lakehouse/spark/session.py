"""The only builder of a Spark session in the repository.

Spark's own settings come from conf/spark-defaults.conf through spark-submit; what depends on our configuration is set
here. A session that spark-submit did not start (a notebook, a test) reads the same file.
"""

import os
import sys
import time

from pyspark.sql import SparkSession

from lakehouse.config import Config
from lakehouse.spark import hadoop_settings, java_names, log_lines
from lakehouse.spark.properties import CONF, DEFAULTS, properties

STATE_STORES = {
    "memory": "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider",
    "rocksdb": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
}


def get_session(config: Config, app_name: str, extra: dict[str, str] | None = None) -> SparkSession:
    """The session of this process, built on first call. `extra` overrides single Spark settings (tests only)."""
    log_lines.set_up(config)
    # Timestamps that pass through the driver's Python are naive: they must mean UTC on every machine.
    os.environ["TZ"] = "UTC"
    time.tzset()
    builder = SparkSession.builder.appName(app_name)
    # Under our launcher spark-submit has read the file already, and a user's --conf must win over it.
    is_launched = os.environ.get("SPARK_CONF_DIR") == str(CONF)
    unlaunched = properties(DEFAULTS) | {"spark.pyspark.python": sys.executable}
    settings = ({} if is_launched else unlaunched) | _from_config(config) | (extra or {})
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    java_names.remember(spark)
    hadoop_settings.leave_out(spark)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _from_config(config: Config) -> dict[str, str]:
    return {
        "spark.python.daemon.module": "lakehouse.events.worker_daemon",
        # By the row: to weigh a batch, Spark goes through all of its vectors again with every row it adds.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
        "spark.sql.shuffle.partitions": str(config.spark.shuffle_partitions),
        "spark.sql.streaming.stateStore.providerClass": STATE_STORES[config.spark.state_store],
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
        "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
    }
