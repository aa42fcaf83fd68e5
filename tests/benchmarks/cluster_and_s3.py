"""The same events into four lakes: on this machine, by a standalone cluster, on S3, and by the cluster on S3. All must hold the same.

    ./spark-submit.sh tests/benchmarks/cluster_and_s3.py [--events 15000] [--places cluster,s3,both] [--check] [--commits N]

One topic of a real broker; the cluster is a master and two workers (tests/standalone_cluster.py), the store a real S3 server
(tests/s3_server.py). Each lake is filled as a user fills it, by `./spark-submit.sh [options] streaming --available-now`, and compared
with the one on this machine, row by row. `--check`: it is held to `rebuild --check` as well.

`--commits`: besides, two drivers append so often to one table on S3 at once, and how many of their commits are lost is told: why there is to be one
(docs/decisions/0098).

Exits 1 where rows differ, or a worker had nothing to do.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from lakehouse.config import PROJECT, Config, load
from lakehouse.demo.shop import Shop
from lakehouse.job import READY, run
from lakehouse.kafka.produce import produce
from lakehouse.spark.properties import S3_SCHEME
from lakehouse.spark.scratch import scratch_config
from lakehouse.spark.session import get_session
from tests import redis_server, s3_server, standalone_cluster
from tests.benchmarks.machine import machine
from tests.compare_lakes import compare_lakes, show

SEED = 7
HERE, CLUSTER, S3, BOTH = "here", "cluster", "s3", "both"
PATH_STYLE = ("--conf", "spark.hadoop.fs.s3a.path.style.access=true")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A lake, and how its jobs are started. event_log: the folder of what Spark's driver notes; None = nobody asks for it."""

    name: str
    root: str
    options: Sequence[str]
    environ: Mapping[str, str]
    event_log: Path | None = None

    def start(self, *words: str, stdout: int, stdin: int | None = None) -> "subprocess.Popen[str]":
        environ = {**os.environ, **self.environ, "STITCHLAKE__LAKE__ROOT": self.root}
        command = [str(PROJECT / "spark-submit.sh"), *self.options, *words]
        return subprocess.Popen(command, env=environ, text=True, stdin=stdin, stdout=stdout)

    def seconds(self, *words: str) -> float:
        """Of a job until its end, which must be a good one."""
        began = time.perf_counter()
        code = self.start(*words, stdout=sys.stderr.fileno()).wait()
        assert code == 0, f"{self.name}: {words} ended with {code}"
        return round(time.perf_counter() - began, 1)

    def tasks(self) -> dict[str, int]:
        """How many each executor ran."""
        counted: Counter[str] = Counter()
        for path in self.event_log.iterdir() if self.event_log else ():
            for line in path.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                if event["Event"] == "SparkListenerTaskEnd":
                    counted[event["Task Info"]["Executor ID"]] += 1
        return dict(counted)


def places(config: Config, folder: Path, master: str, store: Mapping[str, str], redis_url: str) -> Iterator[Place]:
    """This machine first."""
    of_topic = {
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
        "STITCHLAKE__PROFILES__MAX_OFFSETS_PER_TRIGGER": str(config.profiles.max_offsets_per_trigger),
    }
    yield Place(name=HERE, root=config.lake.root, options=(), environ=of_topic)
    for name in (CLUSTER, S3, BOTH):
        options, environ, log, root = [], dict(of_topic), None, str(folder / name)
        if name in (CLUSTER, BOTH):
            (log := folder / f"{name}-events").mkdir()
            options += ["--master", master, "--executor-memory", "1g"]
            for setting in (
                "spark.driver.host=127.0.0.1",
                "spark.driver.bindAddress=127.0.0.1",
                "spark.eventLog.enabled=true",
                "spark.eventLog.rolling.enabled=false",
                "spark.eventLog.compress=false",
                f"spark.eventLog.dir={log.as_uri()}",
            ):
                options += ["--conf", setting]
        if name in (S3, BOTH):
            root = f"{S3_SCHEME}{s3_server.BUCKET}/{name}"
            options += PATH_STYLE
            environ |= store
            environ["STITCHLAKE__ONLINE_STORE__URL"] = f"{redis_url}/{int(name == BOTH)}"
            environ["STITCHLAKE__MLFLOW__TRACKING_URI"] = f"sqlite:///{folder}/{name}-mlflow.db"
        yield Place(name=name, root=root, options=options, environ=environ, event_log=log)


def filled(place: Place, *, is_checked: bool) -> dict[str, object]:
    """What filling it took. is_checked: it is held to a rebuild, too."""
    took = {"streaming_seconds": place.seconds("streaming", "--available-now")}
    if is_checked:
        took["check_seconds"] = place.seconds("batch/rebuild.py", "--check")
    return {**took, "tasks": place.tasks()}


def append(uri: str, name: str, commits: int) -> None:
    """One of the drivers that write one table: what it was told of, on standard output."""
    spark = get_session(load(), "append")
    print(READY, flush=True)
    sys.stdin.readline()
    taken, refused = [], []
    for number in range(commits):
        row = spark.createDataFrame([(name, number)], "writer string, number int")
        try:
            row.write.format("delta").mode("append").save(uri)
            taken.append(number)
        except (Py4JJavaError, PySparkException) as error:
            told = error.java_exception if isinstance(error, Py4JJavaError) else error
            refused.append(str(told).splitlines()[0][:160])
    print(json.dumps({"taken": taken, "refused": refused}), flush=True)


def raced(place: Place, commits: int) -> dict[str, object]:
    """Two drivers append to one table at once. lost: commits that one was told of, and that are not there."""
    uri = f"{place.root}-race"
    DeltaTable.create(uri, pa.schema([("writer", pa.string()), ("number", pa.int32())]))
    pipe = subprocess.PIPE
    job = "tests/benchmarks/cluster_and_s3.py"
    both = {
        name: place.start(job, "--append", uri, name, "--commits", str(commits), stdin=pipe, stdout=pipe)
        for name in "ab"
    }
    pipes_of = [(process.stdin, process.stdout) for process in both.values()]
    for _, told_by in pipes_of:
        assert told_by is not None
        assert told_by.readline().strip() == READY
    for tell, _ in pipes_of:
        assert tell is not None
        tell.write("\n")
        tell.flush()
    told = {name: json.loads(process.communicate()[0].splitlines()[-1]) for name, process in both.items()}
    stored = {(row["writer"], row["number"]) for row in DeltaTable(uri).to_pyarrow_table().to_pylist()}
    taken = {(name, number) for name, of in told.items() for number in of["taken"]}
    refusals = Counter(reason for of in told.values() for reason in of["refused"])
    return {"commits": len(taken), "lost": len(taken - stored), "refused": dict(refusals)}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="cluster_and_s3")
    parser.add_argument("--events", type=int, default=15_000)
    parser.add_argument("--records", type=int, default=5_000, help="of a micro-batch")
    parser.add_argument("--places", default=",".join((CLUSTER, S3, BOTH)))
    parser.add_argument("--commits", type=int, default=0)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--append", nargs=2, metavar=("URI", "NAME"))
    asked = parser.parse_args(argv)
    if asked.append:
        uri, name = asked.append
        append(uri, name, asked.commits)
        return 0
    os.environ["STITCHLAKE__PROFILES__MAX_OFFSETS_PER_TRIGGER"] = str(asked.records)
    report: dict[str, dict[str, object]] = {}
    wrong: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stitchlake-beyond-")))
        config = stack.enter_context(scratch_config(load(), "beyond"))
        master = stack.enter_context(standalone_cluster.running(folder / "cluster-logs"))
        store = stack.enter_context(s3_server.running(folder))
        os.environ.update(store)  # delta-rs reads what Spark wrote by the same names
        (folder / "redis").mkdir()
        redis_url, _ = stack.enter_context(redis_server.running(folder / "redis"))
        messages = Shop(asked.events, SEED).messages()
        sent = produce(messages, config.kafka, config.kafka.events_topic, on_progress=lambda n: None)
        here, *others = places(config, folder, master, store, redis_url)
        for place in [here, *(one for one in others if one.name in asked.places.split(","))]:
            report[place.name] = filled(place, is_checked=asked.check)
            if place is not here:
                print(f"\n{here.name} and {place.name}")
                compared = list(compare_lakes(here.root, place.root))
                show(compared)
                report[place.name]["differences"] = sum(one.differences for one in compared)
                wrong += [f"{place.name}: rows differ"] * bool(report[place.name]["differences"])
            if place.event_log is not None and len(place.tasks()) < standalone_cluster.WORKERS:
                wrong.append(f"{place.name}: a worker had nothing to do")
            print(json.dumps({place.name: report[place.name]}), flush=True)
        if asked.commits:
            on_s3 = next(one for one in others if one.name == S3)
            report["two_drivers"] = raced(on_s3, asked.commits)
        facts = machine(config)
    print(json.dumps({"benchmark": "cluster_and_s3", "events": sent, **report, "wrong": wrong, **facts}))
    return 1 if wrong else 0


if __name__ == "__main__":
    run(main)
