"""A Delta table of somebody else's: all of it at a version, or what commits have added since.

Its change feed says which rows are new; a table without one is read whole each time, and what was sent before is not sent again. Rows that
commits changed or deleted are never taken for new ones in silence: see `after`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakehouse.errors import SourceError
from lakehouse.imports.reading import Position, Reading

_FEED = "delta.enableChangeDataFeed"
_NOTES = ("_change_type", "_commit_version", "_commit_timestamp")
_IS_THERE = ("insert", "update_postimage")
# Of commits that touch no row: https://docs.delta.io/latest/delta-utility.html#operation-metrics-keys
_KEEPS_ROWS = (
    *(
        "CREATE TABLE",
        "OPTIMIZE",
        "REORG",
        "VACUUM",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "SET TABLE",
        "ADD COLUMN",
    ),
    *("CHANGE COLUMN", "RENAME COLUMN", "ADD CONSTRAINT", "DROP CONSTRAINT", "UPGRADE PROTOCOL", "ADD FEATURE"),
)
_CHANGED_BY_MERGE = (
    "numTargetRowsUpdated",
    "numTargetRowsDeleted",
    "num_target_rows_updated",
    "num_target_rows_deleted",
)


class DeltaTableToImport:
    """`version`, `as_of`: of the table, not of its newest; at most one of them. `takes_changes`: a changed row is a record, too."""

    def __init__(
        self,
        spark: SparkSession,
        path: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        takes_changes: bool = False,
    ) -> None:
        """Raises SourceError: there is no such table, or no such version of it."""
        self._spark = spark
        self._path = path
        self._takes_changes = takes_changes
        try:
            table = DeltaTable.forPath(spark, path)
            (detail,) = table.detail().collect()
            self._history = (
                table.history()
                .select("version", "timestamp", "operation", "operationParameters", "operationMetrics")
                .collect()
            )
        except (PySparkException, Py4JError) as error:
            raise SourceError(f"{path}: got no Delta table, expected one that can be read. Look at the path") from error
        self._id, self._has_feed = detail["id"], (detail["properties"] or {}).get(_FEED) == "true"
        self._version = self._at(version, as_of)

    @property
    def name(self) -> str:
        return self._path

    def whole(self) -> Reading:
        frame = self._spark.read.format("delta").option("versionAsOf", self._version).load(self._path)
        return self._reading(frame, "all rows of", has_all_copies=True)

    def after(self, position: Position | None) -> Reading | None:
        """What was added after the version of an earlier import.

        Raises:
            SourceError: commits since have changed or deleted rows, and it was not said what that means.
        """
        if position is None or position["id"] != self._id or position["version"] > self._version:
            return self.whole()
        since = position["version"]
        if since == self._version:
            return None
        changing = changing_commits(self._history, since, self._version)
        if changing and not self._takes_changes:
            raise SourceError(
                f"{self._path}: {', '.join(changing)} changed or deleted rows since version {since}, expected rows that are only added: a changed row "
                "would be one more event, and a deleted one stays. Say --take-changes if each state of a row is a record of its own"
            )
        if not self._has_feed:
            return self.whole()
        feed = self._spark.read.format("delta").option("readChangeFeed", "true")
        rows = feed.option("startingVersion", since + 1).option("endingVersion", self._version).load(self._path)
        try:
            rows.isEmpty()  # Delta looks into the commits when rows are read, and not before
        except (PySparkException, Py4JError):  # it was turned on later, or does not reach back as far
            return self.whole()
        frame = rows.where(F.col(_NOTES[0]).isin(*_IS_THERE)).drop(*_NOTES)
        return self._reading(frame, f"what came after version {since} in", has_all_copies=False)

    def _reading(self, frame: DataFrame, what: str, *, has_all_copies: bool) -> Reading:
        position = {"id": self._id, "version": self._version}
        told = f"{what} version {self._version}"
        (as_of,) = [row["timestamp"].replace(tzinfo=UTC) for row in self._history if row["version"] == self._version]
        return Reading(frame=frame, has_all_copies=has_all_copies, position=position, told=told, as_of=as_of)

    def _at(self, version: int | None, as_of: datetime | None) -> int:
        known = [row for row in self._history if as_of is None or row["timestamp"].replace(tzinfo=UTC) <= as_of]
        found = max((row["version"] for row in known if version is None or row["version"] == version), default=None)
        if found is None:
            versions = [row["version"] for row in self._history]
            got = f"version {version}" if as_of is None else f"{as_of:%Y-%m-%d %H:%M:%S} UTC"
            raise SourceError(
                f"{self._path}: got {got}, expected one of the versions {min(versions)} to {max(versions)}. Name another"
            )
        return int(found)


def changing_commits(history: Iterable[Row], after: int, to: int) -> list[str]:
    """The commits after a version, up to another, that changed or deleted rows, as `version 5 (UPDATE)`.

    A commit of a kind nobody knows here is one of them. So is a version that the history does not reach back to.
    """
    commits = {row["version"]: row for row in history}
    found = []
    for version in range(after + 1, to + 1):
        row = commits.get(version)
        if row is None:
            found.append(f"version {version} (no longer known)")
        elif not _only_adds(row):
            found.append(f"version {version} ({row['operation']})")
    return found


def _only_adds(row: Row) -> bool:
    operation, metrics = str(row["operation"]), row["operationMetrics"] or {}
    parameters = row["operationParameters"] or {}
    if operation == "WRITE":
        return str(parameters.get("mode")) in ("Append", "ErrorIfExists")
    if operation == "STREAMING UPDATE":
        return str(parameters.get("outputMode")) == "Append"
    if operation == "MERGE":
        return all(str(metrics.get(name, "0")) == "0" for name in _CHANGED_BY_MERGE) and bool(metrics)
    return operation == "COPY INTO" or operation.startswith(_KEEPS_ROWS)
