"""fill_features: conf/features.yaml as it is now is taken up, and its new and changed features are filled for all events that came before.

    ./spark-submit.sh batch/fill_features.py

Beside streaming, which does it between its batches, while this job asks for it and waits. Where nothing streams, it does it itself. It may be ended: what was asked for goes on, and
asking again is harmless. A property that was declared in conf/events.yaml since streaming began: start streaming again first, and run batch/own_fields.py.
Ends with one JSON line; exit code 1 where the file was refused.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from pyspark.sql import SparkSession

from lakehouse.catalog import TABLES
from lakehouse.config import Config, load
from lakehouse.errors import BusyError
from lakehouse.feature_book.book import declared_features
from lakehouse.job import flags, json_line, run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import open_lake
from lakehouse.machine import local_folder
from lakehouse.profiles.rebuild import SOURCES
from lakehouse.queries import events
from lakehouse.queries.declarations import declarations
from lakehouse.queries.feature_history import Answer, FeatureHistory, answer, ask, is_asked
from lakehouse.spark.opened_lake import opened
from lakehouse.spark.session import get_session

LOOK_SECONDS = 1


def main(argv: Sequence[str]) -> int:
    flags(list(argv))
    config = load()
    declared_features(config)  # a faulty file is told here, and not in the log of the stream
    if local_folder(config.lake.root) is None:  # no lock says whether anybody streams
        spark = get_session(config, "fill_features")
        open_lake(config, spark)
        return _told(_waited_for(config, spark))
    try:
        with opened(config, "fill_features") as lake:
            lake.bring_up(TABLES.values(), of=SOURCES)
            return _told(filled(lake))
    except BusyError:
        return _told(_waited_for(config, None))


def filled(lake: Lake) -> Iterator[Answer]:
    """Do all of it: this process is the lake's writer, and nothing streams."""
    ask(lake.root, lake.spark)
    micro_batch = events.new_micro_batch(lake)
    history = FeatureHistory(lake, micro_batch, events.NAME, declarations(lake.config).properties, is_alone=True)

    def go_on() -> None:
        history.go_on()
        micro_batch.catch_up()

    return _answers(lake.root, lake.spark, go_on)


def _waited_for(config: Config, spark: SparkSession | None) -> Iterator[Answer]:
    """Whoever streams does it."""
    ask(config.lake.root, spark)
    return _answers(config.lake.root, spark, lambda: time.sleep(LOOK_SECONDS))


def _answers(root: str, spark: SparkSession | None, go_on: Callable[[], None]) -> Iterator[Answer]:
    """What has been said since it was asked for, until nothing is asked for any more."""
    while is_asked(root, spark):
        go_on()
        if (said := answer(root, spark)) is not None:
            yield said


def _told(answers: Iterator[Answer]) -> int:
    """Print how far it is whenever that is another, and the last line; the exit code."""
    said, before = None, ""
    for said in answers:
        line = said.refused or f"{said.done:,} of {said.records:,} records"
        if line != before:
            print(line, file=sys.stderr if said.refused else sys.stdout, flush=True)
        before = line
    is_whole = said is not None and said.is_whole
    records = 0 if said is None else said.records
    print(json_line({"command": "fill_features", "records": records, "is_whole": is_whole}))
    return 0 if is_whole else 1


if __name__ == "__main__":
    run(main)
