"""reconcile: repairs the rows that events later than the watermark left behind in the tables of profiles.

    ./spark-submit.sh batch/reconcile.py

Silver has every event, however late; the `profiles` query drops those behind its watermark. This job computes the
tables from silver, writes only the rows that differ and rolls up the profiles they belong to. Run it while the streaming
driver is stopped (on one machine), nightly is usual; running it twice changes nothing.
"""

import json

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.models.registry import Champions
from lakehouse.profiles.micro_batch import MicroBatch, utc_now
from lakehouse.profiles.rebuild import SOURCES, rebuild
from lakehouse.profiles.repair import reconcile
from lakehouse.spark.session import get_session


def main(argv: list[str]) -> None:
    flags(argv)
    config = load()
    with writer(config):
        lake = Lake(get_session(config, "reconcile"), config)
        lake.bring_up(TABLES.values(), of=SOURCES)
        champions = Champions(config)
        champions.refresh()
        now = utc_now()
        rebuilt = rebuild(lake, champions, now=now, keep_as_of=True)
        repaired = reconcile(lake, rebuilt, MicroBatch(lake, champions), now=now)
        print(json.dumps({"command": "reconcile", "repaired": {d.table: d.total for d in repaired}}))


if __name__ == "__main__":
    run(main)
