"""The identity step of a micro-batch on small and large graphs, and the solver against scipy.

    ./spark-submit.sh tests/benchmarks/identity.py [--actors 10000 100000 1000000] [--batches 9] [--batch 2000] [--edges 1000000]

Micro-batches of `--batch` new actors are resolved into graphs of so many actors, written as tables: 40 % of the new actors
are people nobody knows, 50 % share an e-mail with a random old actor, 8 % are visitors of the last batches who sign in, on
the device of one of the latest actors and with the e-mail of a random old one, so that two profiles become one, and 2 % are
guests of three kiosks that everybody has used before. The clock runs from the batch's leaf rows to the last Delta commit and
the index; a third of the batches warms up and does not count. `growth_over_100x` is the median on the largest graph over that
on the smallest. `old_join_seconds` is a batch whose 8 % join two random OLD profiles: Delta then writes every file of the map
that holds one of them anew, so on a large map all of it. Few batches, so that the small graph does not become another one.

The solver's rival is scipy.sparse.csgraph.connected_components on the same edges with all rules off: both read the same
Delta files and turn ids into integers themselves, and must find the same components.
"""

import argparse
import dataclasses
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import numpy as np
import pandas as pd
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.catalog import TABLES
from lakehouse.config import IdentifierRule, load
from lakehouse.identity.changes import changes
from lakehouse.identity.history import history
from lakehouse.identity.solve import solve
from lakehouse.job import run
from lakehouse.lake.delta import Lake, arrow
from lakehouse.lake.time_order import FILE_BYTES
from lakehouse.profiles.stitching import rule_changes
from lakehouse.profiles.stitching.graph_facts import GRAPH_COLUMNS, facts_of
from lakehouse.profiles.stitching.identity_tables import all_rows, current_index
from lakehouse.profiles.stitching.resolution import IdentityStep
from lakehouse.spark.session import get_session
from lakehouse.tables.contract import Table
from lakehouse.tables.identity import (
    SILVER_IDENTITY_EDGES,
    SILVER_IDENTITY_HISTORY,
    SILVER_IDENTITY_LOG,
    SILVER_IDENTITY_MAP,
)
from tests.benchmarks.machine import machine

START = datetime(2026, 1, 1)
PIECE = 100_000  # actors written at a time
RECENT = 3  # batches whose size the waiting visitors are at most
OFF = IdentifierRule(priority=1, limit=2**31, max_actors=2**31)
Bundle = list[tuple[str, str]]


def actor(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=16).hexdigest()


def old_bundle(number: int) -> Bundle:
    """Four actors in ten come in pairs that share an e-mail; one in two hundred has used a kiosk."""
    pair = number - number % 2 if number % 10 < 4 else number
    kiosk = [("device_id", f"kiosk-{number % 3}")] if number % 200 == 0 else []
    return [("anonymous_id", f"cookie-{number}"), ("email", f"mail-{pair}"), ("device_id", f"device-{number}"), *kiosk]


def new_bundle(number: int, old: int, chance: random.Random, joined: list[int]) -> Bundle:
    """See the module: who the new actors are. `joined`: on whose devices they sign in, each once; consumed."""
    kind, some = _kind(number), chance.randrange(old)
    own = ("anonymous_id", f"cookie-{number}")
    if kind < 0.40:
        return [own, ("email", f"mail-{number}"), ("device_id", f"device-{number}")]
    if kind < 0.90:
        return [own, old_bundle(some)[1], ("device_id", f"device-{number}")]
    if kind < 0.98:
        return [own, old_bundle(some)[1], ("device_id", f"device-{joined.pop()}")]
    return [own, ("email", f"mail-{number}"), ("device_id", f"kiosk-{number % 3}")]


def _kind(number: int) -> float:
    return random.Random(number).random()


def strangers(numbers: range) -> list[int]:
    """Those nobody knows, in no order."""
    found = [number for number in numbers if _kind(number) < 0.40]
    return random.Random(numbers.start).sample(found, len(found))


def rows_of(numbers: range, bundle: Callable[[int], Bundle]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Edges and actors as `solve` takes them; an actor is seen a second after the one before."""
    ids = [actor(number) for number in numbers]
    seen = pd.Series(np.datetime64(START, "us") + np.arange(numbers.start, numbers.stop) * np.timedelta64(1, "s"))
    edges = [(id_, *identifier) for id_, number in zip(ids, numbers, strict=True) for identifier in bundle(number)]
    columns = ["actor_id", "identifier_type", "identifier_token"]
    frame = pd.DataFrame(edges, columns=columns, dtype="str")
    return frame, pd.DataFrame({"actor_id": pd.Series(ids, dtype="str"), "first_seen_at": seen})


def build(lake: Lake, count: int, bundle: Callable[[int], Bundle] = old_bundle) -> None:
    """Write the identity tables of `count` old actors, each with the identifiers of its `bundle`."""
    for table in (SILVER_IDENTITY_EDGES, SILVER_IDENTITY_LOG, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_MAP):
        lake.create(table)
    lake.create_missing(TABLES.values())
    edges, actors = rows_of(range(count), bundle)
    solved = solve(edges, actors, lake.config.identity.rules)
    stored = edges.merge(actors, on="actor_id").assign(kind="deterministic", weight=0.0)
    log = changes(solved.iloc[:0], solved, batch_id=-1, changed_at=START)
    log["changed_at"] = log["actor_id"].map(solved.set_index("actor_id")["first_seen_at"])  # came one after the other
    for first in range(0, count, PIECE):
        _add(lake, SILVER_IDENTITY_MAP, solved.iloc[first : first + PIECE].assign(resolved_at=pd.Timestamp(START)))
        _add(lake, SILVER_IDENTITY_LOG, log.iloc[first : first + PIECE])
        _add(lake, SILVER_IDENTITY_HISTORY, history(log.iloc[first : first + PIECE]))
    for first in range(0, len(stored), 3 * PIECE):
        _add(lake, SILVER_IDENTITY_EDGES, stored.iloc[first : first + 3 * PIECE])
    rule_changes.record(lake, START)
    DeltaTable(lake.path(SILVER_IDENTITY_LOG)).optimize.compact()
    for table in (SILVER_IDENTITY_MAP, SILVER_IDENTITY_HISTORY, SILVER_IDENTITY_EDGES):  # as streaming leaves them
        DeltaTable(lake.path(table)).optimize.z_order([table.time_column], target_size=FILE_BYTES)


def _add(lake: Lake, table: Table, rows: pd.DataFrame) -> None:
    lake.add(arrow(rows, table), table)


def leaves(lake: Lake, first: int, size: int, old: int, chance: random.Random, joined: list[int]) -> DataFrame:
    """The batch as leaf rows, as far as the identity step reads them; in memory."""
    edges, actors = rows_of(range(first, first + size), lambda number: new_bundle(number, old, chance, joined))
    pairs = edges.groupby("actor_id", sort=False)[["identifier_type", "identifier_token"]]
    identifiers = {name: [tuple(row) for row in group.to_numpy()] for name, group in pairs}
    rows = [
        (id_, identifiers[id_], seen.to_pydatetime().replace(tzinfo=UTC))
        for id_, seen in actors.itertuples(index=False)
    ]
    schema = "actor_id string, identifiers array<struct<type:string,token:string>>, first_at timestamp"
    frame = lake.spark.createDataFrame(rows, schema).coalesce(1).persist()
    frame.count()
    return frame


def micro_batches(lake: Lake, count: int, batches: int, size: int) -> dict[str, float]:
    """Seconds of the identity step, batch after batch."""
    build(lake, count)
    started = time.perf_counter()
    current_index(lake)
    filled = time.perf_counter() - started
    step, chance, took = IdentityStep(lake), random.Random(count), []
    recent = strangers(range(count - size, count))
    for batch_id in range(batches + 1):
        first = count + batch_id * size
        joined = recent if batch_id < batches else chance.sample(range(count), size)
        took.append(timed_batch(lake, step, leaves(lake, first, size, count, chance, joined), batch_id))
        recent = strangers(range(first, first + size)) + recent[-RECENT * size :]
        random.Random(first).shuffle(recent)
    *counted, old_join = took[batches // 3 :]
    _agrees_with_one_solve(lake)
    median = statistics.median(counted)
    print(f"{count:>9,} actors: median {median:.3f} s, slowest {max(counted):.3f} s, old {old_join:.3f} s", flush=True)
    return {
        "seconds": round(median, 3),
        "slowest_seconds": round(max(counted), 3),
        "old_join_seconds": round(old_join, 3),
        "index_fill_seconds": round(filled, 1),
    }


def timed_batch(lake: Lake, step: IdentityStep, batch: DataFrame, batch_id: int) -> float:
    now = (START + timedelta(days=100, seconds=batch_id)).replace(tzinfo=UTC)
    started = time.perf_counter()
    step.resolve_batch(facts_of(batch.select(*GRAPH_COLUMNS).toArrow()), batch_id=batch_id, now=now)
    took = time.perf_counter() - started
    batch.unpersist()
    return took


def _agrees_with_one_solve(lake: Lake) -> None:
    edges = all_rows(lake, SILVER_IDENTITY_EDGES)
    solved = solve(edges, edges[["actor_id", "first_seen_at"]], lake.config.identity.rules)
    stored = lake.read(SILVER_IDENTITY_MAP).select("actor_id", "profile_id", "component_id", "cause").toPandas()
    stored = stored.sort_values("actor_id", ignore_index=True)
    columns = list(stored.columns)
    pd.testing.assert_frame_equal(*(rows[columns].astype(object).fillna("none") for rows in (stored, solved)))


def solve_against_scipy(lake: Lake, edge_count: int) -> dict[str, object]:
    """Both from the Delta files; the best of three turns each."""
    lake.create(SILVER_IDENTITY_EDGES)
    edges, actors = rows_of(range(edge_count // 3), old_bundle)
    stored = edges.merge(actors, on="actor_id").assign(kind="deterministic", weight=0.0).iloc[:edge_count]
    _add(lake, SILVER_IDENTITY_EDGES, stored)
    path, rules = lake.path(SILVER_IDENTITY_EDGES), lake.config.identity.rules
    off = dict.fromkeys(rules, OFF)
    seconds: dict[str, list[float]] = {"solve": [], "rules_off": [], "scipy": []}
    for _ in range(3):
        for name, compute in (
            ("solve", lambda: _solved(path, rules)),
            ("rules_off", lambda: _solved(path, off)),
            ("scipy", lambda: _scipy(path)),
        ):
            started = time.perf_counter()
            answer = compute()
            seconds[name].append(time.perf_counter() - started)
            if name == "rules_off":
                parts = answer["component_id"].nunique()  # type: ignore[index]
    assert answer == parts, f"scipy found {answer} components, solve {parts}"
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "solve_over_scipy": round(best["solve"] / best["scipy"], 2),
        "solve_rules_off_over_scipy": round(best["rules_off"] / best["scipy"], 2),
        "solve_seconds": round(best["solve"], 2),
        "scipy_seconds": round(best["scipy"], 2),
        "edges": len(stored),
    }


def _solved(path: str, rules: dict[str, IdentifierRule]) -> pd.DataFrame:
    columns = ["actor_id", "identifier_type", "identifier_token", "first_seen_at"]
    edges = DeltaTable(path).to_pandas(columns=columns)
    return solve(edges, edges[["actor_id", "first_seen_at"]], rules)


def _scipy(path: str) -> int:
    edges = DeltaTable(path).to_pandas(columns=["actor_id", "identifier_type", "identifier_token"])
    actors, ids = pd.factorize(edges["actor_id"])
    identifiers, names = pd.factorize(edges["identifier_type"] + ":" + edges["identifier_token"])
    size = len(ids) + len(names)
    ties = coo_array((np.ones(len(edges), dtype=np.int8), (actors, identifiers + len(ids))), shape=(size, size))
    return int(connected_components(ties, directed=False)[0])


@contextmanager
def scratch(name: str) -> Iterator[Lake]:
    """A new lake in a temporary folder; no broker."""
    with tempfile.TemporaryDirectory(prefix=f"stitchlake-{name}-", ignore_cleanup_errors=True) as folder:
        config = load()
        config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=f"{folder}/lake"))
        yield Lake(get_session(config, name), config)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="identity")
    parser.add_argument("--actors", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=9)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    arguments = parser.parse_args(argv)
    by_size = {}
    for count in arguments.actors:
        with scratch("identity") as lake:
            by_size[count] = micro_batches(lake, count, arguments.batches, arguments.batch)
    with scratch("identity") as lake:
        solver = solve_against_scipy(lake, arguments.edges)
    seconds = {str(count): result["seconds"] for count, result in by_size.items()}
    least, most = by_size[min(by_size)], by_size[max(by_size)]
    result = {
        "benchmark": "identity",
        "growth_over_100x": round(most["seconds"] / least["seconds"], 2),
        "micro_batch_seconds": seconds,
        "old_join_seconds": {str(count): result["old_join_seconds"] for count, result in by_size.items()},
        **solver,
        "by_actors": {str(count): result for count, result in by_size.items()},
        "batches": arguments.batches,
        "batch_actors": arguments.batch,
        **machine(lake.config),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)
