"""maintenance: every table brought into shape. Rows older than [retention] go, small files are put together, old files and old log deleted.

    ./spark-submit.sh batch/maintenance.py [--if-free]

Streams do it themselves between their micro-batches, a little at a time. This does all of it at once: of a lake that is not written
now, or of one on an object store, at any time. On one machine it is refused while the streaming driver runs; with --if-free, for
schedules, it says so and is content. Tables of a job that runs are left to that job. Prints a line for each table that changed, and one
JSON line at the end; exits 1 when a table failed.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.catalog import TABLES, of_part
from lakehouse.config import load
from lakehouse.errors import BusyError
from lakehouse.job import flags, run
from lakehouse.lake import local_index
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import PARTS, writer
from lakehouse.maintenance import stream_checkpoints
from lakehouse.maintenance.tended import Tended
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.queries import events
from lakehouse.queries.unfinished import is_under_way
from lakehouse.sessions import visit_index
from lakehouse.spark.session import get_session
from lakehouse.tables.events import SILVER_EVENTS

IF_FREE = "--if-free"
COUNTS = ("aged", "compacted", "deleted", "trimmed")


def maintain(lake: Lake) -> tuple[list[Tended], list[str]]:
    """Every table that nobody else is at, and the names of those that failed; the caller holds the lake.

    Raises:
        LakeError: it is no lake.
    """
    lake.bring_up(TABLES.values(), of=[SILVER_EVENTS])
    # A micro-batch that did not end is finished by the streams, of the events that are stored: none of them may have gone by then.
    is_ended = not (lake.uses_delta_rs and is_under_way(lake, events.NAME, SILVER_ACTIVITY_DAILY))
    if not is_ended:
        print("no rows go by age: a micro-batch did not end. Start streaming, which ends it")
    tables, tended = list(of_part(None)), Upkeep(lake, of_part(None), ages=is_ended).all(is_bounded=False)
    for part in sorted({*PARTS.values()}):
        of_job = of_part(part)
        try:
            with writer(lake.config, lake.spark, part=part):
                lake.create_missing(of_job)
                tended += Upkeep(lake, of_job).all(is_bounded=False)
                tables += of_job
        except BusyError as error:
            print(f"left out: {error}")
    if any(one.aged for one in tended if one.table == SILVER_EVENTS.name):
        local_index.forget(lake.root, visit_index.NAME)  # it holds what is gone, until a stream makes it again
    done = {one.table for one in tended}
    return tended, [table.name for table in tables if table.name not in done]


def main(argv: list[str]) -> int:
    is_content = IF_FREE in flags(argv, IF_FREE)
    config = load()
    lake = Lake(get_session(config, "maintenance"), config)
    try:
        with writer(config, lake.spark):
            return _maintained(lake)
    except BusyError as error:
        if not is_content:
            raise
        print(f"left to the process that writes: {error}")
        return 0


def _maintained(lake: Lake) -> int:
    tended, failed = maintain(lake)
    parts = 0
    if lake.uses_delta_rs:
        parts = stream_checkpoints.clear(Path(lake.root), datetime.now(UTC) - lake.retention.keep)
    print(f"{'table':36}" + "".join(f"{count:>11}" for count in COUNTS))
    for one in tended:
        if one.is_anything:
            print(f"{one.table:36}" + "".join(f"{getattr(one, count):>11,}" for count in COUNTS))
    counted = {count: sum(getattr(one, count) for one in tended) for count in COUNTS}
    print(json.dumps({"command": "maintenance", **counted, "checkpoint_parts": parts, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
