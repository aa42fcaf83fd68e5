"""own_fields: properties, context, enrichment and declared properties of every stored event, read again from bronze.

    ./spark-submit.sh batch/own_fields.py

Run it with streaming stopped: after an update from a release that did not keep them, after a property was declared in conf/events.yaml, after
privacy.personal_fields, privacy.plain_fields or enrichment changed, and batch/rebuild.py after it. It may be ended and run again at any time. An event whose record is not in bronze any
more stays as it is. Prints a line of JSON for each slice of bronze.
"""

import dataclasses
import json

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.profiles.rebuild import SOURCES
from lakehouse.queries.declarations import declarations
from lakehouse.queries.events import events_table
from lakehouse.queries.own_fields_history import fill
from lakehouse.spark.opened_lake import opened


def main(argv: list[str]) -> None:
    flags(argv)
    config = load()
    declared = declarations(config)
    with opened(config, "own_fields") as lake:
        lake.bring_up(TABLES.values(), of=SOURCES)
        for part in fill(lake, events_table(lake, declared), declared):
            print(json.dumps({"command": "own_fields", "done": dataclasses.asdict(part)}), flush=True)


if __name__ == "__main__":
    run(main)
