"""Delta's change feed of a table, read on the driver: of every row that commits set or removed, whether it is still there.

A commit and what it says it changed are one thing, so that whoever follows the feed misses nothing and hears nothing twice,
wherever a writer dies. https://docs.delta.io/latest/delta-change-data-feed.html
"""

import logging

import pandas as pd
import pyarrow as pa
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from lakehouse.lake.delta import Lake
from lakehouse.lake.open_tables import opened
from lakehouse.tables.contract import Table

log = logging.getLogger("stitchlake.lake")
_THERE = ("insert", "update_postimage")
_NOTED = ("_change_type", "_commit_version")


def number(lake: Lake, table: Table) -> int:
    """The number of the table's last commit."""
    return lake.commit(table)


def touched(lake: Lake, table: Table, *, after: int, to: int) -> pd.DataFrame | None:
    """[*key, is_there] of every row that the commits after `after`, up to `to`, set or removed, by key.

    None = the feed does not reach back as far: older than what the table keeps, or than the feed itself.
    """
    if after >= to:
        return pd.DataFrame(columns=[*table.key, "is_there"])
    try:
        noted = _noted(lake, table, after + 1, to)
    except (DeltaError, pa.ArrowException, PySparkException, Py4JError, OSError) as error:
        log.warning("%s: what changed after version %d cannot be read any more: %s", table.name, after, error)
        return None
    return last_state(noted, list(table.key))


def last_state(noted: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """[*key, _change_type, _commit_version] -> [*key, is_there], as the last commit left each row.

    A commit that replaces a row may note that it is removed and inserted: then it is there.
    """
    marked = noted.assign(is_there=noted["_change_type"].isin(_THERE))
    ordered = marked.sort_values([*key, "_commit_version", "is_there"], kind="stable")
    return ordered.drop_duplicates(key, keep="last")[[*key, "is_there"]].reset_index(drop=True)


def _noted(lake: Lake, table: Table, first: int, last: int) -> pd.DataFrame:
    columns = [*table.key, *_NOTED]
    if lake.uses_delta_rs:
        feed = opened(lake.path(table)).load_cdf(first, last, columns=columns)
        rows: pd.DataFrame = pa.table(feed).select(columns).to_pandas()
        return rows
    reader = lake.spark.read.format("delta").option("readChangeFeed", "true")
    ranged = reader.option("startingVersion", first).option("endingVersion", last)
    frame: pd.DataFrame = ranged.load(lake.path(table)).select(*columns).toArrow().to_pandas()
    return frame
