"""Exports that conf/exports.yaml declares continuous, kept up to date until stopped: what changes in gold is at its destination within seconds.

    ./spark-submit.sh streaming/exports.py

`up` runs it where there is one. It reads gold beside the queries, and writes nothing but what is written down about exports. A destination that
fails holds up its own export alone. Needs no JVM.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread

from lakehouse.config import load
from lakehouse.config.paths import EXPORTS
from lakehouse.errors import ConfigError
from lakehouse.exports.continuous import ContinuousExport, pause_after, told_of
from lakehouse.exports.declaration import continuous_exports
from lakehouse.exports.exporting import Exporting, Files
from lakehouse.exports.heard import Hearing
from lakehouse.exports.meters import ExportMeters
from lakehouse.job import READY, flags, run
from lakehouse.monitoring.exporter import exposed
from lakehouse.online.engines import open_kept_store

LOOK_SECONDS = 1.0
REST = 3  # times as much as a look took of a core: they are the streams' first
Made = Callable[[], ContinuousExport]
log = logging.getLogger("stitchlake.exports")


def main(argv: list[str]) -> None:
    flags(argv)
    config, meters, stopped = load(), ExportMeters(), Event()
    declared = continuous_exports(EXPORTS, config.consent.purposes)
    if not declared:
        raise ConfigError(
            f"{EXPORTS.name}: is_continuous: got none, expected an export. Declare one, or run them by batch/export.py"
        )
    exporting = Exporting(
        config=config, environ=os.environ, files=Files(), clock=lambda: datetime.now(UTC), sleep=_until(stopped)
    )
    with (
        closing(open_kept_store(config)) as kept,
        exposed(meters.registry, config.metrics.exports_port, key="metrics.exports_port"),
    ):
        hearing = Hearing(exporting.root, config.kafka, exporting.clock)
        made = {one.name: partial(ContinuousExport, one, exporting, hearing, kept, meters) for one in declared}
        keep(made, meters, stopped)


def keep(exports: Mapping[str, Made], meters: ExportMeters, stopped: Event) -> None:
    """Until SIGTERM; then what is under way is ended. Each has a thread of its own, which ends for nothing else."""
    threads = [Thread(target=_keep_one, args=(name, made, meters, stopped)) for name, made in exports.items()]
    for thread in threads:
        thread.start()
    print(READY, flush=True)
    try:
        stopped.wait()
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _keep_one(name: str, made: Made, meters: ExportMeters, stopped: Event) -> None:
    """Whatever is wrong with it is told once, and it is made anew after a pause, which grows: streaming may be making the lake just now."""
    export: ContinuousExport | None = None
    told, failures, rest = "", 0, 0.0
    while not stopped.wait(max(LOOK_SECONDS, rest)):
        began = time.thread_time()
        try:
            export = export or made()
            export.step()
            told, failures, rest = "", 0, REST * (time.thread_time() - began)
        except Exception as error:
            meters.failed(name)
            if (said := told_of(error, name)) != told:
                told = said
                log.warning("%s. Tried again until it goes well", said)
            _close(export, name)
            export, rest = None, pause_after(failures).total_seconds()
            failures += 1
    _close(export, name)


def _close(export: ContinuousExport | None, name: str) -> None:
    try:
        if export is not None:
            export.close()
    except Exception as error:
        log.warning("%s. Its run was not ended, the next one will", told_of(error, name))


def _until(stopped: Event) -> Callable[[float], None]:
    """Pauses that end when the process is to."""

    def sleep(seconds: float) -> None:
        stopped.wait(seconds)

    return sleep


if __name__ == "__main__":
    run(main)
