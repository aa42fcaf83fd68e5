"""reconcile: repaired what late events left behind. A late event counts as it comes now, so nothing is left to repair.

    ./spark-submit.sh batch/reconcile.py

Kept for the schedules that call it. It brings the lake up to its contracts, as every writer does, and says that it repaired nothing.
"""

import json

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.profiles.rebuild import SOURCES
from lakehouse.spark.opened_lake import opened


def main(argv: list[str]) -> None:
    flags(argv)
    config = load()
    with opened(config, "reconcile") as lake:
        lake.bring_up(TABLES.values(), of=SOURCES)
    print(json.dumps({"command": "reconcile", "repaired": {}}))


if __name__ == "__main__":
    run(main)
