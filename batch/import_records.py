"""import_records: files of a source into the lake, by the way everything takes: mapped, and sent to the events topic, each record once.

    ./spark-submit.sh batch/import_records.py FILE [FILE ...] --source NAME [--dry-run]

What the lake or the topic has already is not sent again, so an import that was killed, or whose file came under another name, is
simply begun again. Records that the mapping makes no event of go to silver.events_quarantine, under the source. The `events` query takes
in what was sent, beside what else comes. `--dry-run` sends nothing. Ends with one JSON line.
"""

import argparse
import sys
from pathlib import Path

from lakehouse.config import load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import SourceError
from lakehouse.job import json_line, run
from lakehouse.kafka import admin, broker
from lakehouse.kafka.produce import produce
from lakehouse.sources.history import Progress, Tally, messages
from lakehouse.sources.known_messages import KnownMessages
from lakehouse.sources.source import Source

NAME = "import_records"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args(argv)
    config = load()
    source = Source.named(arguments.source, SOURCES, config)
    missing = [file for file in arguments.files if not file.is_file()]
    if missing:
        raise SourceError(f"{missing[0]}: no such file, expected one that can be read. Name another")
    has_broker = not arguments.dry_run or admin.answers(broker.cluster(config))
    config = broker.reachable(config) if has_broker else config
    kafka = config.kafka
    if not arguments.dry_run:
        admin.create_topic(kafka, kafka.events_topic, kafka.partitions)
    tally = Tally()
    progress = Progress(lambda line: print(f"{NAME}: {line}", file=sys.stderr))
    found = messages(arguments.files, source, KnownMessages.of(config, has_broker=has_broker), tally, progress)
    if arguments.dry_run:
        for _ in found:
            pass
    else:
        produce(found, kafka, kafka.events_topic, on_progress=lambda _: None)
    for why, count in tally.reasons.most_common():
        print(f"to quarantine, {count:,} records: {why}")
    counts = {name: getattr(tally, name) for name in ("records", "sent", "known", "skipped", "unmapped")}
    print(json_line({"command": NAME, "source": source.name, "dry_run": arguments.dry_run, **counts}))


if __name__ == "__main__":
    run(main)
