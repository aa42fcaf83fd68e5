"""One table anywhere, by Spark: on an object store, where the store arbitrates commits.

Its log is trimmed by Delta itself, at every checkpoint a writer makes, as the table's properties say.
https://docs.delta.io/latest/optimizations-oss.html
"""

from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.lake.maintenance_note import note, rows_of
from lakehouse.tables.contract import Table

FILE_BYTES = 2**27
MOST_SMALL = 32  # files more than the table needs
_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


def compact(lake: Lake, table: Table) -> int:
    """Put small files together, when there are many; how many were."""
    path = lake.path(table)
    stored = DeltaTable.forPath(lake.spark, path)
    detail = stored.detail().select("numFiles", "sizeInBytes").head(1)[0]
    if detail["numFiles"] - detail["sizeInBytes"] // FILE_BYTES <= MOST_SMALL:
        return 0
    told = stored.history(1).select("version", "operation", "userMetadata").head(1)[0].asDict()
    session = lake.spark.newSession()
    session.conf.set(_USER_METADATA, note(told["version"], rows_of(told, told["version"])))
    session.conf.set("spark.databricks.delta.optimize.maxFileSize", str(FILE_BYTES))
    metrics = DeltaTable.forPath(session, path).optimize().executeCompaction().head(1)[0]["metrics"]
    return int(metrics["numFilesRemoved"])


def has_older(lake: Lake, table: Table, column: str, before: datetime) -> bool:
    """Whether there are rows of before."""
    return bool(lake.read(table).where(F.col(column) < F.lit(before)).head(1))


def vacuum(lake: Lake, table: Table) -> None:
    """Delete files that no version of the table's retention needs. Spark does not say how many that were."""
    session = lake.spark.newSession()
    session.conf.set("spark.databricks.delta.vacuum.logging.enabled", "false")  # no commits that change no row
    DeltaTable.forPath(session, lake.path(table)).vacuum()
