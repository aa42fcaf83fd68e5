"""What gold says of profiles that are touched: their rows of silver are looked up, and the tables derived from them, in one turn or in several.

Of few profiles all of it is on the driver, so that no table is sorted; of many, and of a lake that is elsewhere, Spark has it.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.consent.rulings import NO_RULINGS, rulings_of
from lakehouse.consent.torn_profiles import torn_actors
from lakehouse.identity.index import Index
from lakehouse.identity.reach import edges_of, members
from lakehouse.lake import row_runs
from lakehouse.lake.delta import Lake, arrow
from lakehouse.profiles import rollup
from lakehouse.profiles.declaration import ChampionModels, LeafTable, ProfileTable
from lakehouse.profiles.derivation import GoldRows, OnDriver, derive, derive_here
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.tables import LEAF, handed
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES, SILVER_IDENTITY_MAP

UTC_TIME = pa.timestamp("us", tz="UTC")
FEW_ACTORS = 5_000  # whose rows of silver are taken to the driver
_COLUMNS: Mapping[Table, tuple[str, ...]] = {
    SILVER_ORDERS: rollup.ORDER_COLUMNS
}  # the rest of an order is as wide again

Tables = tuple[ProfileTable, ...]
"""Each after those it reads."""


class TouchedProfiles:
    """Says what gold tables say of profiles, from the silver tables as they stand."""

    def __init__(self, lake: Lake, champions: ChampionModels) -> None:
        self._lake = lake
        self._champions = champions

    def of_few(
        self,
        index: Index,
        profile_ids: Collection[str],
        as_of: datetime,
        now: datetime,
        tables: Tables,
        *,
        as_stored: Tables = (),
        besides: Collection[LeafTable] = (),
    ) -> GoldRows | OnDriver:
        """What these tables say of these profiles, whose actors are looked up.

        `as_stored`: others that they read as they stand. `besides`: of silver, wanted with rows that are on the driver, whoever reads them.
        """
        actors = _text(members(index, profile_ids))
        profiles = pa.table({"profile_id": pa.array(sorted(profile_ids), pa.string())})
        here = OnDriver(profiles=profiles, now=now, silver={SILVER_IDENTITY_MAP: actors}, tables={})
        if self._lake.uses_delta_rs and actors.num_rows <= FEW_ACTORS:
            dated = profiles.append_column("as_of", pa.repeat(pa.scalar(as_of, UTC_TIME), profiles.num_rows))
            # What a gold table says by now, as its transform would give it.
            held = {
                table: row_runs.rows_of(self._lake, table, here.profile_ids, columns=table.given_columns)
                for table in as_stored
            }
            return self._also_here(replace(here, profiles=dated, tables=held), tables, besides, index)
        of_spark = self._rows(self._lake.frame(profiles), F.broadcast(self._lake.frame(actors)), as_of, now)
        few = of_spark.profiles.select("profile_id")
        stored = {table: self._lake.read(table).join(few, on="profile_id", how="left_semi") for table in as_stored}
        with ThreadPoolExecutor(1) as beside:
            orders = beside.submit(_stored, self._lake, SILVER_ORDERS, here.profile_of)
            rows = self._also_there(replace(of_spark, tables=stored, here=here), tables)
            assert rows.here is not None
            silver = {**here.silver, SILVER_ORDERS: orders.result()}
            return replace(rows, here=replace(rows.here, silver=silver))

    def of_everybody(self, vanished: Collection[str], as_of: datetime, now: datetime, tables: Tables) -> GoldRows:
        """What these tables say of all profiles, and of those that are no more."""
        actors = self._lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id")
        gone = self._lake.frame(pa.table({"profile_id": pa.array(sorted(vanished), pa.string())}))
        profiles = actors.select("profile_id").union(gone).distinct()
        return self._also_there(self._rows(profiles, actors, as_of, now), tables)

    def also(self, rows: GoldRows | OnDriver, tables: Tables) -> GoldRows | OnDriver:
        """The rows, and what these tables say of the same profiles. They may read those that are there."""
        return self._also_here(rows, tables) if isinstance(rows, OnDriver) else self._also_there(rows, tables)

    def _rows(self, profiles: DataFrame, actors: DataFrame, as_of: datetime, now: datetime) -> GoldRows:
        """Nothing yet of these profiles."""
        # Times are joined, not written into the plan: a plan with another literal in it is compiled again.
        times = pa.table({"as_of": pa.array([as_of], UTC_TIME), "now": pa.array([now], UTC_TIME)})
        dated = profiles.crossJoin(F.broadcast(self._lake.frame(times)))
        silver: dict[Table, DataFrame] = {SILVER_IDENTITY_MAP: actors}
        silver |= {table: self._lake.read(table) for table in (*LEAF, SILVER_IDENTITY_EDGES)}
        return GoldRows(profiles=dated, now=self._lake.frame(times).select("now"), silver=silver, tables={})

    def _also_there(self, rows: GoldRows, tables: Tables) -> GoldRows:
        """By Spark; where the profiles are few, the rows are taken to the driver, too."""
        taken: dict[ProfileTable, pa.Table] = {}

        def settle(table: ProfileTable, told: DataFrame) -> DataFrame:
            if rows.here is None:
                return told.localCheckpoint()
            taken[table] = told.toArrow()
            return F.broadcast(self._lake.frame(taken[table]))

        told = derive(
            _known(rows),
            rows.profiles,
            champions=self._champions,
            config=self._lake.config,
            settle=settle,
            tables=tables,
        )
        here = None if rows.here is None else replace(rows.here, tables={**rows.here.tables, **taken})
        return replace(rows, tables={**rows.tables, **told}, here=here)

    def _also_here(
        self, rows: OnDriver, tables: Tables, besides: Collection[LeafTable] = (), index: Index | None = None
    ) -> OnDriver:
        missing = handed(tables).union(besides) - rows.silver.keys()
        with ThreadPoolExecutor(len(LEAF)) as pool:
            held = {table: pool.submit(_stored, self._lake, table, rows.profile_of) for table in missing}
            silver = dict(rows.silver) | {table: stored.result() for table, stored in held.items()}
        ruled = NO_RULINGS if index is None else _ruled(index, silver.get(SILVER_ACTIVITY_DAILY), rows.profile_of)
        rows = replace(rows, silver=silver)
        told = derive_here(
            self._lake.few_rows, _known(rows), rows.profiles,
            champions=self._champions, config=self._lake.config, ruled=ruled, tables=tables,
        )  # fmt: skip
        return replace(rows, tables={**rows.tables, **told})


def _ruled(index: Index, activity_daily: pa.Table | None, profile_of: Mapping[str, str]) -> pa.Table:
    """Whose word of consent holds where few profiles contradict themselves; mostly of nobody."""
    torn = torn_actors(activity_daily, profile_of) if activity_daily is not None else []
    if not torn:
        return NO_RULINGS
    return rulings_of(activity_daily, arrow(edges_of(index, torn), SILVER_IDENTITY_EDGES), profile_of)


def _known(rows: GoldRows | OnDriver) -> dict[Table, Any]:
    """What a transform may be handed: the rows of silver, and those of gold that are made already."""
    return dict([*rows.silver.items(), *rows.tables.items()])


def _stored(lake: Lake, table: LeafTable, actors: Collection[str]) -> pa.Table:
    """The rows of few actors."""
    if table.look_up is not None and lake.uses_delta_rs:
        return table.look_up(lake, actors)
    return lake.rows_with(table, "actor_id", actors, columns=_COLUMNS.get(table))


def _text(rows: pd.DataFrame) -> pa.Table:
    """Rows of text columns only, however many."""
    return pa.table({name: pa.array(rows[name].tolist(), pa.string()) for name in rows.columns})
