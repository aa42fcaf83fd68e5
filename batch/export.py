"""export: gold brought up to date in somebody else's system, as conf/exports.yaml declares it: what changed since the last run, and nothing else.

    ./spark-submit.sh batch/export.py NAME [--dry-run] [--full] [--as-gold-says]

Whoever may not be told of any more is removed there. It waits until all that people said is in gold, unless --as-gold-says. A run that was killed is simply begun again. --full sends every row, changed or not,
and removes as always; --dry-run only says what would be done. Needs no JVM. Prints why rows were kept back or refused, and ends with one
JSON line. Exit 75: the destination does not answer, another try may go well.
"""

import argparse
import os
import time
from collections import Counter
from datetime import UTC, datetime

from lakehouse.config import load
from lakehouse.exports.exporting import Exporting, Files, run_export
from lakehouse.job import json_line, run

NAME = "export"
FILES = Files()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("name")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--as-gold-says", action="store_true", help="do not wait for events that are not read yet")
    arguments = parser.parse_args(argv)
    exporting = Exporting(
        config=load(), environ=os.environ, files=FILES, clock=lambda: datetime.now(UTC), sleep=time.sleep
    )
    report = run_export(
        arguments.name,
        exporting,
        is_full=arguments.full,
        is_tried=arguments.dry_run,
        believes_gold=arguments.as_gold_says,
    )
    _tell("kept back", report.kept_back)
    _tell("refused", report.refused)
    told = {"command": NAME, "export": arguments.name, "run_id": report.run_id, "dry_run": arguments.dry_run}
    print(json_line({**told, **report.counts}))


def _tell(what: str, reasons: Counter[str]) -> None:
    for why, count in reasons.most_common():
        print(f"{what}, {count:,} rows: {why}")


if __name__ == "__main__":
    run(main)
