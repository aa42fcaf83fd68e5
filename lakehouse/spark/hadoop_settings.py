"""Hadoop's settings that nothing here reads, left out.

Spark hands Hadoop's settings to the tasks of every table that a plan reads and of every one it writes, each of the 1,100 packed by itself: 11 ms of CPU a
table, however few its rows. Four of five are of YARN and MapReduce, and of Hadoop's own servers.
"""

import json

from pyspark.sql import SparkSession

UNREAD = (
    *("yarn.", "mapreduce.", "ipc.", "ha.", "hadoop.http.", "hadoop.registry.", "hadoop.zk.", "hadoop.ssl.", "hadoop.kerberos.", "hadoop.rpc."),
    *("rpc.", "net.", "nfs.", "tfile.", "seq.", "map.", "adl.", "ftp.", "dfs."),
)  # fmt: skip
"""Prefixes. What reads one of them after all has the same default in its code."""
_READ = ("mapreduce.outputcommitter.",)  # how a file system wants files to be committed
_DEFAULTS = "-default.xml"


def leave_out(spark: SparkSession) -> None:
    """Let Hadoop's settings be those that are read here, and whatever somebody has set. On a cluster they stay as they are."""
    jvm, context = spark._jvm, spark.sparkContext
    assert jvm is not None
    if not (context.master or "").startswith("local"):
        return
    hadoop = jvm.org.apache.hadoop
    # What these two load reads all settings again: later it would bring back those that are left out.
    spark._jsparkSession.sessionState().newHadoopConf()
    hadoop.mapreduce.util.ConfigUtil.loadResources()
    settings = context._jsc.hadoopConfiguration()
    dumped = jvm.java.io.StringWriter()
    hadoop.conf.Configuration.dumpConfiguration(settings, dumped)
    for told in json.loads(dumped.toString())["properties"]:
        name = told["key"]
        if told["resource"].endswith(_DEFAULTS) and name.startswith(UNREAD) and not name.startswith(_READ):
            settings.unset(name)
