"""How a lake follows its contracts: the whole rule.

A contract may gain a table, and a column that may be null; a lake that this cannot tell is another layout (LAKE_VERSION in lock.py).
Whoever writes brings the lake up to its contracts as it starts, and nobody need be told to: `Lake.create_missing` where the lake may be
new, `Lake.bring_up` where it must be there. In rows that are stored a new column is null, until something sets them.
Whoever only reads changes nothing: a column that is not stored yet reads as null, and a table that is not there is refused in one line
that says what to run (`Lake.require`). Nothing is taken for an empty table: a check of the wrong folder would find no difference.
"""

from collections.abc import Mapping

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse.errors import ContractError, LakeError
from lakehouse.lake import delta_rs
from lakehouse.tables.contract import Table

CHANGE_FEED = "delta.enableChangeDataFeed"
_DEFAULTS = "spark.databricks.delta.properties.defaults."


def bring_up(
    spark: SparkSession, table: Table, path: str, *, properties: Mapping[str, str], follows: bool, is_here: bool
) -> None:
    """Make the table with these properties, or add to it what its contract has gained. `is_here`: delta-rs reads it.

    `follows`: a table that is there gets the properties, too.

    Raises:
        ContractError: a column was gained that may not be null.
    """
    feed = {CHANGE_FEED: "true"} if table.has_change_feed else {}
    if is_here and not delta_rs.is_there(path):
        told = _properties(spark) | dict(properties)
        delta_rs.create(path, _described(table).json(), description=table.grain, properties=told)
    elif not is_here and not DeltaTable.isDeltaTable(spark, path):
        _create(spark, table, path, {**properties, **feed})  # as a whole: elsewhere each look at a table takes a second
        return
    _add_columns(spark, table, path, is_here=is_here)
    _set_properties(spark, path, {**(properties if follows else {}), **feed}, is_here=is_here)


def _create(spark: SparkSession, table: Table, path: str, properties: Mapping[str, str]) -> None:
    builder = DeltaTable.createIfNotExists(spark).location(path).comment(table.grain)
    for name, value in properties.items():
        builder = builder.property(name, value)
    builder.addColumns(_described(table)).execute()


def _described(table: Table) -> StructType:
    """The columns of the contract as Delta notes them, each with its comment."""
    columns = StructType.fromDDL(table.ddl)
    assert isinstance(columns, StructType)
    for field, column in zip(columns.fields, table.columns, strict=True):
        field.metadata = {"comment": column.comment}
    return columns


def _properties(spark: SparkSession) -> dict[str, str]:
    """What the session says of every new table, as conf/spark-defaults.conf does."""
    told = (
        spark._jsparkSession.conf().getAll().mkString("\n")
    )  # as one text: Python asks the JVM thrice for each entry of a map
    pairs = (line.partition(" -> ")[::2] for line in told.splitlines() if line.startswith(_DEFAULTS))
    return {f"delta.{key.removeprefix(_DEFAULTS)}": value for key, value in pairs}


def _add_columns(spark: SparkSession, table: Table, path: str, *, is_here: bool) -> None:
    stored = delta_rs.columns(path) if is_here else spark.read.format("delta").load(path).columns
    gained = [column for column in table.columns if column.name not in stored]
    if never_null := [column.name for column in gained if not column.nullable]:
        raise ContractError(
            f"{table.name}: {path} is stored without {never_null}, got columns that may not be null, expected a contract to gain only "
            "such as may. Declare them optional, or raise LAKE_VERSION"
        )
    if gained:
        nobody = spark.createDataFrame([], table.ddl).select(*table.column_names)
        nobody.write.format("delta").mode("append").option("mergeSchema", "true").save(path)


def _set_properties(spark: SparkSession, path: str, wanted: Mapping[str, str], *, is_here: bool) -> None:
    if is_here:
        delta_rs.set_properties(path, wanted)
        return
    has = DeltaTable.forPath(spark, path).detail().head(1)[0]["properties"]
    if other := [f"'{name}' = '{value}'" for name, value in wanted.items() if has.get(name) != value]:
        quoted = path.replace("`", "``")  # Delta's parser takes no parameter here
        spark.sql(f"ALTER TABLE delta.`{quoted}` SET TBLPROPERTIES ({', '.join(other)})")


def with_gained(stored: DataFrame, table: Table) -> DataFrame:
    """The rows, with null in every column that the contract has gained since they were stored."""
    gained = {c.name: F.lit(None).cast(c.type) for c in table.columns if c.nullable and c.name not in stored.columns}
    return stored.withColumns(gained) if gained else stored


def require(root: str, are_there: Mapping[str, bool]) -> None:
    """Refuse a lake that lacks one of the tables. are_there: whether each is, by name.

    Raises:
        LakeError: naming those that are not there, and what makes them.
    """
    missing = [name for name, is_there in are_there.items() if not is_there]
    if not missing:
        return
    if len(missing) == len(are_there):
        raise LakeError(
            f"{root}: no table {', '.join(missing)}, expected a lake that streaming has filled. Run ./spark-submit.sh "
            "streaming --available-now first, or set STITCHLAKE__LAKE__ROOT"
        )
    raise LakeError(
        f"{root}: no table {', '.join(missing)}, got a lake of an earlier release, expected every table. Run "
        "./spark-submit.sh batch/rebuild.py, or start streaming: either makes it"
    )
