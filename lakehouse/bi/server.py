"""Spark's own server of HiveServer2's protocol, which every BI tool speaks over Thrift, JDBC or ODBC.

It listens on 127.0.0.1 and asks nobody who they are. Each connection has a session of its own, which shares the catalogue.
https://spark.apache.org/docs/latest/sql-distributed-sql-engine.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse import machine
from lakehouse.errors import StitchlakeError

HOST = "127.0.0.1"


def settings(scratch: Path) -> dict[str, str]:
    """Of the session that serves. `scratch`: a folder of its own, for what would else lie where it was started."""
    return {
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.thriftServer.incrementalCollect": "true",  # a table larger than memory is handed out part by part
        "spark.sql.adaptive.enabled": "true",  # a question over months is no micro-batch
        "spark.hadoop.hive.server2.thrift.bind.host": HOST,
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
        "spark.hadoop.hive.exec.scratchdir": str(scratch / "hive"),
        "spark.hadoop.hive.exec.local.scratchdir": str(scratch / "hive-local"),
        "spark.hadoop.hive.downloaded.resources.dir": str(scratch / "hive-resources"),
    }


@contextmanager
def serving(spark: SparkSession, port: int) -> Iterator[str]:
    """The server, for as long as the context lasts; gives its JDBC address.

    Raises:
        StitchlakeError: somebody listens on the port.
    """
    require_free(port)
    jvm = spark._jvm
    assert jvm is not None
    spark._jsc.hadoopConfiguration().set("hive.server2.thrift.port", str(port))
    companion = getattr(jvm.org.apache.spark.sql.hive.thriftserver, "HiveThriftServer2$")
    server = getattr(companion, "MODULE$").startWithSparkSession(spark._jsparkSession, False)
    try:
        yield f"jdbc:hive2://{HOST}:{port}/default"
    finally:
        server.stop()


def require_free(port: int) -> None:
    """Raises StitchlakeError: somebody listens on the port."""
    if not machine.is_port_free(port):
        raise StitchlakeError(
            f"sql_server.port: got {port}, which is in use, expected a free port. Stop what listens there, or set STITCHLAKE__SQL_SERVER__PORT"
        )
