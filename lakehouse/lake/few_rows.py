"""Plans over few rows, made once and run again over other rows.

For a thousand rows Spark takes much longer to make a plan than to run it: a micro-batch has ten plans, the same ones each time, and making them was most of
what it cost. Here a plan reads its inputs from files. Each run writes its rows there, and computes the plan's RDD again: what was analysed,
optimised, planned and made ready for tasks stays as it is. A plan is one task. Nothing is shuffled, nothing is broadcast, whatever hints a transform gives.

An RDD knows the name and the length of each file it reads. So a file is as long in every run: there is a gap in it, before its footer.

A plan that is kept must not hold a time of its making: what is made of frames here knows no clock, as every transform.
"""

import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.util import _load_from_socket

from lakehouse.lake.lock import SCRATCH

_SETTINGS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.optimizer.disableHints": "true",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.exchange.reuse": "false",  # a copy would point to what the first run left
    "spark.sql.adaptive.enabled": "false",  # a plan that changes itself as it runs hides what it shuffles
}

_LEAST_LENGTH = 1 << 20  # bytes
_FOOTER_END = 8  # bytes: the length of the footer before it, and "PAR1"

Build = Callable[..., DataFrame]
"""A pure function of frames."""


class FewRows:
    """The plans of one lake on this machine. Thread-safe: runs of one plan follow each other."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self._spark = spark.newSession()
        for key, value in _SETTINGS.items():
            self._spark.conf.set(key, value)
        folder = Path(root, SCRATCH)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
        self._plans: dict[str, _Plan] = {}
        self._looking = Lock()

    def run(self, name: str, build: Build, *, version: Hashable = None, **rows: pa.Table) -> pa.Table:
        """What `build` makes of frames with these rows, which it is handed by name.

        Args:
            name: of the plan.
            build: called for the first run, and for the first of another version.
            version: of what the plan holds besides its inputs.
            rows: the inputs, each with the same schema in every run.
        """
        with self._looking:
            folder = Path(self._folder.name)
            for place in (folder.parent, folder):  # a writer of the lake that began since has removed them
                place.mkdir(mode=0o700, exist_ok=True)
            plan = self._plans.get(name)
            if plan is None or plan.version != version:
                plan = self._plans[name] = _Plan(self._spark, folder / name, build, version)
        return plan.run(rows)


class _Plan:
    def __init__(self, spark: SparkSession, folder: Path, build: Build, version: Hashable) -> None:
        self.version = version
        self._spark = spark
        self._folder = folder
        self._build = build
        self._running = Lock()
        self._made: _Made | None = None
        self._lengths: dict[str, int] = {}

    def run(self, rows: dict[str, pa.Table]) -> pa.Table:
        with self._running:
            self._folder.mkdir(exist_ok=True)
            try:
                for name, table in rows.items():
                    self._write(name, table)
                return self._run(rows)
            finally:
                for name in rows:  # of somebody who is to be forgotten nothing may be left
                    self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"

    def _write(self, name: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="none", use_dictionary=False, write_statistics=False)
        parquet = memoryview(sink.getvalue())
        if len(parquet) > self._lengths.get(name, 0):
            self._lengths[name] = max(_LEAST_LENGTH, 2 * len(parquet))
            self._made = None
        footer = len(parquet) - _FOOTER_END - int.from_bytes(parquet[-_FOOTER_END:-4], "little")
        with self._path(name).open("wb") as file:
            file.write(parquet[:footer])
            file.seek(self._lengths[name] - len(parquet) + footer)
            file.write(parquet[footer:])

    def _run(self, rows: dict[str, pa.Table]) -> pa.Table:
        jvm = self._spark._jvm
        assert jvm is not None
        with _active(self._spark):  # a node of a plan belongs to the session that is active where it is made
            made = self._made = self._made or self._make(rows)
            place = jvm.PythonRDD.collectAndServe(made.rdd())
        with _load_from_socket(place, NoOpSerializer()) as served:
            return pa.Table.from_batches(
                (pa.ipc.read_record_batch(pa.py_buffer(each), made.schema) for each in served), made.schema
            )

    def _make(self, rows: dict[str, pa.Table]) -> "_Made":
        frames = {}
        for name, table in rows.items():
            stored = self._spark.read.schema(from_arrow_schema(table.schema)).parquet(str(self._path(name)))
            frames[name] = stored.coalesce(1)
        frame = self._build(**frames)
        jdf, schema = frame._jdf, to_arrow_schema(frame.schema, timezone="UTC")
        plan, is_repeatable = _in_one_task(self._spark, jdf.queryExecution().executedPlan())
        if is_repeatable:
            rdd = jdf.toArrowBatchRdd(plan)
            return _Made(lambda: rdd, schema)
        return _Made(lambda: jdf.toArrowBatchRdd(plan.clone()), schema)


@dataclass(frozen=True)
class _Made:
    """rdd: gives an RDD of Arrow batches that has read no input yet."""

    rdd: Callable[[], Any]
    schema: pa.Schema


def _in_one_task(spark: SparkSession, plan: Any) -> tuple[Any, bool]:
    """The physical plan without shuffles, and whether its RDD reads its inputs again, all of them, each time it is computed.

    Where Spark would shuffle, the partitions become one: that is all that whoever asks for a shuffle can want of a single one. And
    what was shuffled once is not computed again, nor is what was broadcast.
    """
    jvm = spark._jvm
    assert jvm is not None
    to_seq, coalesced = jvm.PythonUtils.toSeq, getattr(jvm, "org.apache.spark.sql.execution.CoalesceExec")
    is_repeatable = True

    def rebuilt(node: Any) -> Any:
        nonlocal is_repeatable
        children = node.children()
        below = [rebuilt(children.apply(number)) for number in range(children.size())]
        name = node.nodeName()
        if name == "Exchange":
            return coalesced(1, below[0])
        is_repeatable = is_repeatable and name not in ("BroadcastExchange", "InMemoryTableScan")
        return node.withNewChildren(to_seq(below)) if below else node

    return rebuilt(plan), is_repeatable


@contextmanager
def _active(spark: SparkSession) -> Iterator[None]:
    """The session is the active one of this thread, and tasks that it starts go by _SETTINGS.

    Spark hands a task what is set only where it runs a frame, and a copy of a plan is none: each task would write its plan as code again, to find that it
    is compiled.
    """
    jvm, context = spark._jvm, spark.sparkContext
    assert jvm is not None
    sessions = getattr(jvm, "org.apache.spark.sql.classic.SparkSession")  # by its whole name: found at once
    before = sessions.getActiveSession()
    set_before = {key: context.getLocalProperty(key) for key in _SETTINGS}
    sessions.setActiveSession(spark._jsparkSession)
    for key, value in _SETTINGS.items():
        context._jsc.setLocalProperty(key, value)
    try:
        yield
    finally:
        for key, old in set_before.items():
            context._jsc.setLocalProperty(key, old)  # None: as if it had never been set
        if before.isDefined():
            sessions.setActiveSession(before.get())
        else:
            sessions.clearActiveSession()
