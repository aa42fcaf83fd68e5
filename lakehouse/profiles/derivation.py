"""Gold from silver: every gold table's rows, each transform handed the frames it reads and no other."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lakehouse.config import Config
from lakehouse.consent.rulings import NO_RULINGS, rulings
from lakehouse.errors import ContractError
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.few_rows import FewRows
from lakehouse.profiles.declaration import RULINGS, ChampionModels, ProfileTable
from lakehouse.profiles.rollup import profile_activity
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.tables import GOLD
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

Rows = TypeVar("Rows", DataFrame, pa.Table)
Settle = Callable[[ProfileTable, DataFrame], DataFrame]


@dataclass(frozen=True, kw_only=True)
class OnDriver:
    """What gold says of few profiles, on the driver.

    profiles: profile_id, and as_of where tables are to be derived from these rows. silver: the rows of their actors that it was made
    from. tables: rows by table.
    """

    profiles: pa.Table
    now: datetime
    silver: Mapping[Table, pa.Table]
    tables: Mapping[ProfileTable, pa.Table]

    @property
    def profile_ids(self) -> list[str]:
        ids: list[str] = self.profiles["profile_id"].to_pylist()
        return ids

    @property
    def profile_of(self) -> dict[str, str]:
        """By actor."""
        placed = self.silver[SILVER_IDENTITY_MAP]
        return dict(zip(placed["actor_id"].to_pylist(), placed["profile_id"].to_pylist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class GoldRows:
    """What gold says of some profiles.

    profiles: profile_id, as_of. now: one row, `now`. silver: the tables it was made from. tables: rows by table. here: the same
    on the driver, where the profiles are few.
    """

    profiles: DataFrame
    now: DataFrame
    silver: Mapping[Table, DataFrame]
    tables: Mapping[ProfileTable, DataFrame]
    here: OnDriver | None = None


def here_of(rows: GoldRows | OnDriver) -> OnDriver | None:
    """What of them is on the driver: all, where the profiles are very few."""
    return rows if isinstance(rows, OnDriver) else rows.here


def derive(
    silver: Mapping[Table, DataFrame],
    profiles: DataFrame,
    *,
    champions: ChampionModels,
    config: Config,
    settle: Settle,
    tables: tuple[ProfileTable, ...] = GOLD,
) -> dict[ProfileTable, DataFrame]:
    """What every gold table says of `profiles`; nothing where what it needs is not there.

    Args:
        silver: the tables that transforms may read; of silver.identity_map the actors of `profiles` are enough. Rulings are made of
            silver.activity_daily and silver.identity_edges.
        profiles: profile_id, as_of.
        champions: the models in force.
        config: the configuration in force.
        settle: makes a frame that is read again cheap to read. Tables that do not read each other are settled side by side.
        tables: each after those it reads.

    Raises:
        ContractError: a transform asks for a table that is neither silver nor listed before it.
    """
    frames = {table.parameter: frame for table, frame in silver.items()}
    given = {"profiles": profiles, "champions": champions, "config": config}
    if any(RULINGS in table.asks_for for table in tables):
        activity = profile_activity(silver[SILVER_ACTIVITY_DAILY], silver[SILVER_IDENTITY_MAP])
        given[RULINGS] = rulings(activity, silver[SILVER_IDENTITY_EDGES])

    def rows(table: ProfileTable, handed: Mapping[str, DataFrame]) -> DataFrame:
        if not table.needs(champions):
            return _none(profiles.sparkSession, table)
        return settle(table, _given(table.rows(handed, given), table))

    return _in_order(tables, frames, rows)


def derive_here(
    few_rows: FewRows,
    silver: Mapping[Table, pa.Table],
    profiles: pa.Table,
    *,
    champions: ChampionModels,
    config: Config,
    ruled: pa.Table = NO_RULINGS,
    tables: tuple[ProfileTable, ...] = GOLD,
) -> dict[ProfileTable, pa.Table]:
    """`derive` of few rows on the driver. silver: the rows of the profiles' actors. ruled: the rulings."""
    version, beside = tuple(sorted(champions.versions.items())), {"profiles": profiles, RULINGS: ruled}

    def rows(table: ProfileTable, handed: Mapping[str, pa.Table]) -> pa.Table:
        if not table.needs(champions):
            return pa.schema([arrow_schema(table).field(name) for name in table.given_columns]).empty_table()

        def build(**frames: DataFrame) -> DataFrame:
            given = {"champions": champions, "config": config} | {name: frames.get(name) for name in beside}
            return _given(table.rows(frames, given), table)

        asked = {name: rows for name, rows in beside.items() if name in table.asks_for}
        return few_rows.run(table.name, build, version=(version, table.transform), **handed, **asked)

    return _in_order(tables, {table.parameter: its_rows for table, its_rows in silver.items()}, rows)


def _in_order(
    tables: tuple[ProfileTable, ...],
    silver: Mapping[str, Rows],
    rows: Callable[[ProfileTable, Mapping[str, Rows]], Rows],
) -> dict[ProfileTable, Rows]:
    """The rows of each table, from those it is handed; side by side where they do not read each other."""
    derived: dict[str, Future[Rows]] = {}

    def made(table: ProfileTable) -> Rows:
        handed = {name: silver[name] if name in silver else derived[name].result() for name in table.handed}
        return rows(table, handed)

    with ThreadPoolExecutor(len(tables)) as pool:
        for table in tables:
            unknown = [name for name in table.handed if name not in silver and name not in derived]
            if unknown:
                raise ContractError(
                    f"{table.name}: its transform asks for {unknown}, expected some of {sorted([*silver, *derived])}. "
                    "List it after the tables it reads, in lakehouse/profiles/gold/__init__.py"
                )
            derived[table.parameter] = pool.submit(made, table)
    return {table: derived[table.parameter].result() for table in tables}


def _given(frame: DataFrame, table: ProfileTable) -> DataFrame:
    """What a transform gives, in the types of the contract."""
    missing = [name for name in table.given_columns if name not in frame.columns]
    if missing:
        raise ContractError(f"{table.name}: columns {missing} missing, got {frame.columns}. Mend its transform")
    return frame.selectExpr(*(f"CAST({name} AS {type_}) AS {name}" for name, type_ in _types(table).items()))


def _none(spark: SparkSession, table: ProfileTable) -> DataFrame:
    """No rows, in a form that the optimizer knows to be empty: who joins them reads and shuffles nothing."""
    columns = ", ".join(f"CAST(NULL AS {type_}) AS {name}" for name, type_ in _types(table).items())
    return spark.sql(f"SELECT {columns} WHERE false")


def _types(table: ProfileTable) -> dict[str, str]:
    return {column.name: column.type for column in table.columns if column.name in table.given_columns}
