"""A table or a query of a database, by Spark's JDBC. A column that grows says what is new, and lets several connections read at once.

Rows of the highest value that was read are read again next time: another of that value may have come since. So every row that says the
same as another is read with it. Rows whose key is NULL are read each time. A row that is written later below that value, by a transaction that took long, is not seen; `--again` sees it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, NumericType, TimestampNTZType, TimestampType

from lakehouse.errors import SourceError
from lakehouse.imports.reading import Position, Reading

USER, PASSWORD = "STITCHLAKE_JDBC_USER", "STITCHLAKE_JDBC_PASSWORD"
_FETCHED_ROWS = 10_000  # at once; PostgreSQL's driver else takes the whole table into memory
# password=..., user:...@host, and Oracle's user/...@host
_WITH_PASSWORD = re.compile(r"password|pwd|//[^/@]+:[^/@]+@|:[^:/@]+/[^/@]+@", re.IGNORECASE)
_GROWS = (NumericType, DateType, TimestampType, TimestampNTZType)
_EXPECTED = "expected a table that can be read. Mend --jdbc, --table or --query, or name the driver: ./spark-submit.sh --packages org.postgresql:postgresql:42.7.7"


@dataclass(frozen=True, kw_only=True)
class Database:
    """What is read, and where. query: SELECT, as the database speaks. key: the column that grows; empty = none. parts: connections."""

    url: str
    query: str
    key: str = ""
    parts: int = 4
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """User and password, where they are set."""
    named = {"user": environ.get(USER), "password": environ.get(PASSWORD)}
    return {name: value for name, value in named.items() if value}


class DatabaseToImport:
    def __init__(self, spark: SparkSession, database: Database) -> None:
        """Raises SourceError: a password stands in the address."""
        if _WITH_PASSWORD.search(database.url):
            raise SourceError(f"--jdbc: got a password in the address, expected none there. Set {USER} and {PASSWORD}")
        self._spark = spark
        self._database = database

    @property
    def name(self) -> str:
        return f"{self._database.url} {self._database.query} {self._database.key}"

    def whole(self) -> Reading:
        return self.after(None)

    def after(self, position: Position | None) -> Reading:
        """Rows whose key is what it was at most, or more, and those that have none yet; of a table without a key, all. Raises SourceError."""
        database = self._database
        try:
            rows = self._rows(database.query)
            if not database.key:
                return Reading(frame=rows, has_all_copies=True, position=None, told="all rows, for no --key was named")
            column, kind = self._key(rows)
            (bounds,) = self._rows(
                f"SELECT MIN({database.key}) AS lo, MAX({database.key}) AS hi FROM ({database.query}) t"
            ).collect()
            lowest, highest = bounds[0], bounds[1]
        except (PySparkException, Py4JError) as error:
            raise self.cannot_be_read(error) from error
        if highest is None:
            return Reading(frame=rows, has_all_copies=True, position=position, told=f"rows without {column}, if any")
        since = None if position is None else position["highest"]
        options = {"partitionColumn": column, "numPartitions": str(database.parts)}
        options |= {"lowerBound": _bound(lowest, 0), "upperBound": _bound(highest, 1)}
        # Spark cuts no range of times without a zone: one connection reads those.
        is_cut = database.parts > 1 and lowest != highest and not isinstance(kind, TimestampNTZType)
        frame = self._rows(database.query, **options) if is_cut else rows
        # A row without a key may be one of any import: it is read each time, and sent once.
        key = F.col(f"`{column}`")
        frame = frame.where(key.isNull() | (key <= F.lit(str(highest)).cast(kind)))
        if since is not None:
            frame = frame.where(key.isNull() | (key >= F.lit(since).cast(kind)))
        told = f"{column} up to {highest}" if since is None else f"{column} from {since} to {highest}"
        return Reading(frame=frame, has_all_copies=True, position={"highest": str(highest)}, told=told)

    def cannot_be_read(self, error: Exception) -> SourceError:
        """What the database says, in a line, without the password."""
        line = " ".join(self._reason(error).split())
        for secret in self._database.credentials.values():
            line = line.replace(secret, "***")
        return SourceError(f"{self._database.url}: got {line[:300]}, {_EXPECTED}")

    def _reason(self, error: Exception) -> str:
        """The first cause: what Spark puts around it says only that the database refused. Of one that is not the database's own its name says most."""
        thrown: Any = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
        if thrown is None:
            return str(error)
        while (cause := thrown.getCause()) is not None:
            thrown = cause
        is_own = is_instance_of(self._spark.sparkContext._gateway, thrown, "java.sql.SQLException")
        return str((thrown.getMessage() if is_own else None) or thrown.toString())

    def _key(self, rows: DataFrame) -> tuple[str, DataType]:
        """The column as Spark names it, and its type."""
        asked = self._database.key.strip('"`[]').lower()
        found = next((each for each in rows.schema if each.name.lower() == asked), None)
        if found is None or not isinstance(found.dataType, _GROWS):
            got = "no such column" if found is None else f"a column of {found.dataType.simpleString()}"
            raise SourceError(
                f"--key: got {self._database.key}, {got}, expected a number, a date or a time that grows. Name another"
            )
        return found.name, found.dataType

    def _rows(self, query: str, **options: str) -> DataFrame:
        reader = (
            self._spark.read.format("jdbc").option("url", self._database.url).option("dbtable", f"({query}) stitchlake")
        )
        # A time without a zone stays one: the source says on which clock it was.
        reader = reader.option("fetchsize", _FETCHED_ROWS).option("preferTimestampNTZ", "true")
        return reader.options(**self._database.credentials, **options).load()


def _bound(value: Any, more: int) -> str:
    """As Spark's reader takes it to cut the range into parts; where the cuts lie changes no row."""
    match value:
        case datetime():
            return value.isoformat(" ", "seconds")
        case date():
            return value.isoformat()
        case Decimal() | float() | int():
            return str(int(value) + more)
    return str(value)
