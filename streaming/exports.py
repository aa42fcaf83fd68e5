"""Exports that conf/exports.yaml declares continuous, kept up to date until stopped: what changes in gold is at its destination within seconds.

    ./spark-submit.sh streaming/exports.py

`up` runs it where there is one. It reads gold beside the queries, and writes nothing but what is written down about exports. A destination that
fails holds up its own export alone. Needs no JVM.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread

from lakehouse.config import load
from lakehouse.config.paths import EXPORTS
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.exports.continuous import ContinuousExport
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
        keep([partial(ContinuousExport, export, exporting, hearing, kept, meters) for export in declared], stopped)


def keep(exports: Sequence[Made], stopped: Event) -> None:
    """Until SIGTERM; then what is under way is ended. Each has a thread of its own."""
    threads = [Thread(target=_keep_one, args=(made, stopped)) for made in exports]
    for thread in threads:
        thread.start()
    print(READY, flush=True)
    try:
        stopped.wait()
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _keep_one(made: Made, stopped: Event) -> None:
    export, told, rest = None, "", 0.0
    while not stopped.wait(max(LOOK_SECONDS, rest)):
        began = time.thread_time()
        try:
            export = export or made()
        except StitchlakeError as error:  # streaming may be making the lake just now
            if (said := str(error)) != told:
                told = said
                log.warning("%s. Looked at again until it is so", said)
            continue
        export.step()
        rest = REST * (time.thread_time() - began)
    if export is not None:
        export.close()


def _until(stopped: Event) -> Callable[[float], None]:
    """Pauses that end when the process is to."""

    def sleep(seconds: float) -> None:
        stopped.wait(seconds)

    return sleep


if __name__ == "__main__":
    run(main)
