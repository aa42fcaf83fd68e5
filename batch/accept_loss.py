"""accept_loss: go on without records that were gone from the topic before they were read, and write down who said so.

    ./spark-submit.sh batch/accept_loss.py --by WHO --why TEXT

Streaming does not start over such a gap. This writes a row per range and query to ops.lost_records, and then reads what the topic still
holds, like `streaming --available-now`. Where bronze.events has the records, batch/rebuild.py --from-bronze loses nothing.
Ends with one JSON line.
"""

import argparse
import json
from functools import partial

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.job import run
from lakehouse.kafka.broker import reachable
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.queries import bronze_events, events
from lakehouse.queries.driver import drain
from lakehouse.queries.known_records import known
from lakehouse.queries.lost_records import accept, lost_by
from lakehouse.spark.opened_lake import opened

QUERIES = {
    bronze_events.NAME: (bronze_events.KNOWN, bronze_events.start),
    events.NAME: (events.KNOWN, events.start),
}


def main(argv: list[str]) -> None:
    options = arguments(argv)
    config = reachable(load())
    with opened(config, "accept_loss") as lake:
        lake.create_missing(TABLES.values())
        now, ranges = utc_now(), []
        for query, (tables, _) in QUERIES.items():
            gone = lost_by(lake, query, known(lake, query, tables))
            accept(lake, query, gone, by=options.by, why=options.why, now=now)
            ranges += [{"query": query, **vars(one)} for one in gone]
            for one in gone:
                print(f"{query}: {one}")
        if ranges:
            drain(lake, [partial(start, accepts_loss=True) for _, start in QUERIES.values()])
    print(json.dumps({"command": "accept_loss", "ranges": ranges}))


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="accept_loss", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--by", required=True, metavar="WHO", help="who accepts that the records are lost")
    parser.add_argument("--why", required=True, metavar="TEXT")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
