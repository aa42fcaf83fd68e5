"""How many rows an expectation concerns, and how many of them break it."""

import atexit
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.tables.contract import Table
from lakehouse.tables.expectation import Action, Expectation

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Counts:
    """Of the rows of one table in one micro-batch. by_name: of each expectation, rows it concerns and rows that break it."""

    rows: int
    by_name: Mapping[str, tuple[int, int]]


def flags(table: Table) -> list[Column]:
    """Columns that `sums` adds up: of each row, whether it is concerned, and what tells that it breaks the expectation."""
    told = []
    for number, expectation in enumerate(table.expectations):
        concerned = _is(expectation.concerns)
        breaks = F.struct(*expectation.unique) if expectation.unique else _is(expectation.breaks)
        told += [concerned.alias(_concerned(number)), F.when(concerned, breaks).alias(_broken(number))]
    return told


def sums(table: Table) -> list[Column]:
    """Aggregates over rows with `flags`, which `added` reads: of each expectation, rows it concerns and rows that break it."""
    return [_sum(number, expectation) for number, expectation in enumerate(table.expectations)]


def _sum(number: int, expectation: Expectation) -> Column:
    concerned = F.count_if(_concerned(number))
    broken = concerned - F.count_distinct(_broken(number)) if expectation.unique else F.count_if(_broken(number))
    return F.struct(concerned, broken)


def added(table: Table, parts: Iterable[Sequence[Sequence[int]]]) -> dict[str, tuple[int, int]]:
    """By expectation. `parts`: what the sums gave, each of other rows."""
    totals = {expectation.name: (0, 0) for expectation in table.expectations}
    for part in parts:
        for name, (concerned, broken) in zip(totals, part, strict=True):
            totals[name] = (totals[name][0] + concerned, totals[name][1] + broken)
    return totals


def counted(frame: DataFrame, table: Table) -> Counts:
    """Of rows in Spark; one job."""
    found = frame.select(*flags(table)).agg(F.count("*"), *sums(table)).first()
    assert found is not None
    return Counts(found[0], added(table, [found[1:]]))


def counted_here(rows: pa.Table, table: Table) -> Counts:
    """Of rows on the driver."""
    told = ", ".join(_sql(expectation) for expectation in table.expectations)
    with _connection().cursor() as cursor:
        found = cursor.register("rows", rows).execute(f"SELECT {told} FROM rows").fetchone()
    assert found is not None
    return Counts(rows.num_rows, added(table, [list(zip(found[::2], found[1::2], strict=True))]))


@functools.cache
def _connection() -> "DuckDBPyConnection":
    """One for good: opening it takes five times as long as the question. Let go before the interpreter ends, or DuckDB complains."""
    import duckdb  # here: 0.2 s that a start need not pay

    atexit.register(_connection.cache_clear)
    return duckdb.connect(config={"threads": 1})


def first_broken(table: Table, action: Action) -> Column | None:
    """Name of the first expectation with that action that the row breaks, null where it breaks none; None = there is no such one."""
    broken = [F.when(_is(e.concerns) & _is(e.breaks), F.lit(e.name)) for e in table.expectations if e.action is action]
    return F.coalesce(*broken) if broken else None


def _sql(expectation: Expectation) -> str:
    concerned = f"count(*) FILTER ({expectation.concerns})"
    if expectation.unique:
        key = ", ".join(expectation.unique)
        return f"{concerned}, {concerned} - count(DISTINCT row({key})) FILTER ({expectation.concerns})"
    return f"{concerned}, count(*) FILTER (({expectation.concerns}) AND ({expectation.breaks}))"


def _is(condition: str) -> Column:
    return F.coalesce(F.expr(condition), F.lit(False))


def _concerned(number: int) -> str:
    return f"concerned_{number}"


def _broken(number: int) -> str:
    return f"broken_{number}"
