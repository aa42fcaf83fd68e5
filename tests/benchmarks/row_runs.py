"""The rows of a thousand random people, from ever larger tables: looked up in runs beside the driver, and by reading the table's files.

    ./spark-submit.sh tests/benchmarks/row_runs.py [--rows 20000 200000 2000000] [--people 1000] [--turns 9] [--most 1.3]

A table of --rows has five days of every person, as silver.activity_daily has them, in plain columns. Between two look-ups the rows of these people are set, as a micro-batch does, in the
table by a merge, and in the runs. CPU milliseconds of this process, medians of --turns. `growth` is that of looking up and setting, from the smallest table to the largest; exit 1 where it is more
than --most.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.lake import delta_rs
from lakehouse.lake.delta import arrow_schema
from lakehouse.lake.row_runs import RowRuns
from lakehouse.lake.time_order import FILE_BYTES
from lakehouse.tables.contract import Table, required
from tests.benchmarks.machine import machine

SEED, DAYS_OF_A_PERSON = 7, 5
START = date(2026, 1, 1)
TABLE = Table(
    name="silver.days",
    grain="one row per person and day",
    key=("person", "day"),
    owner="a benchmark",
    time_column="day",
    columns=(
        required("person", "string", "which"),
        required("day", "date", "when"),
        *(required(f"count_{number}", "bigint", "how often") for number in range(6)),
        *(required(f"at_{number}", "timestamp", "when") for number in range(2)),
    ),
)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="row_runs")
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000, 2_000_000])
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--most", type=float, default=1.3)
    arguments = parser.parse_args(argv)
    by_rows = {}
    for count in sorted(arguments.rows):
        with tempfile.TemporaryDirectory(prefix="stitchlake-row-runs-") as folder:
            by_rows[count] = _costs(Path(folder), count, arguments.people, arguments.turns)
        print(json.dumps({count: by_rows[count]}), flush=True)
    least, most = by_rows[min(by_rows)], by_rows[max(by_rows)]
    growth = (most["looked_up"] + most["set"]) / (least["looked_up"] + least["set"])
    result = {"benchmark": "row_runs", "growth": round(growth, 2), "cpu_milliseconds": by_rows, **machine(load())}
    print(json.dumps(result))
    return 1 if growth > arguments.most else 0


def _costs(folder: Path, count: int, people: int, turns: int) -> dict[str, float]:
    chance, path, schema = np.random.default_rng(SEED), str(folder / "table"), arrow_schema(TABLE)
    persons = count // DAYS_OF_A_PERSON
    write_deltalake(path, schema.empty_table())
    runs = RowRuns(folder / "runs", TABLE, ("person",))
    stored = [_rows(range(persons), START + timedelta(days=day)) for day in range(DAYS_OF_A_PERSON)]
    for rows in stored:
        write_deltalake(path, rows, mode="append", target_file_size=FILE_BYTES)
    filled = _cpu(lambda: runs.fill((batch for rows in stored for batch in rows.to_batches()), "0"))
    spent: dict[str, list[float]] = {"looked_up": [], "read": [], "set": [], "merged": []}
    for turn in range(turns):
        numbers = chance.choice(persons, min(people, persons), replace=False).tolist()
        names = [_name(number) for number in numbers]
        rows = _rows(numbers, START + timedelta(days=DAYS_OF_A_PERSON))
        wanted = pa.array(sorted(names), pa.string())
        merge = partial(delta_rs.upsert, rows, TABLE, path, update_when=None, deletes=False)
        spent["looked_up"].append(_cpu(partial(runs.rows, "person", names)))
        spent["read"].append(_cpu(partial(delta_rs.rows_with, path, schema, "person", wanted)))
        spent["merged"].append(_cpu(merge))
        spent["set"].append(_cpu(partial(runs.set_rows, rows, str(turn))))
    return {"fill": filled, **{name: round(statistics.median(one), 1) for name, one in spent.items()}}


def _rows(numbers: Any, day: date) -> pa.Table:
    numbers = list(numbers)
    counts = pa.array(np.arange(len(numbers)))
    at = pa.array(np.arange(len(numbers)) * 1_000_000).cast(pa.timestamp("us", "UTC"))
    columns = [counts if column.type == "bigint" else at for column in TABLE.columns[2:]]
    persons, days = pa.array([_name(number) for number in numbers]), pa.array([day] * len(numbers))
    return pa.Table.from_arrays([persons, days, *columns], schema=arrow_schema(TABLE))


def _name(number: int) -> str:
    """In no order of the numbers, as hashes are."""
    return f"{number * 2654435761 % 2**32:08x}{number:024x}"


def _cpu(body: Callable[[], object]) -> float:
    """Milliseconds of this process's CPU."""
    began = time.process_time()
    body()
    return round((time.process_time() - began) * 1000, 1)


if __name__ == "__main__":
    run(main)
