"""import_records: files and tables of a source into the lake, by the way everything takes: mapped, and sent to the events topic, each record once.

    ./spark-submit.sh batch/import_records.py FILE [FILE ...] --source NAME
    ./spark-submit.sh batch/import_records.py --delta PATH [--version N | --as-of TIME] --source NAME
    ./spark-submit.sh batch/import_records.py --jdbc URL (--table NAME | --query SELECT) [--key COLUMN] [--parts N] --source NAME

What the lake or the topic has already is not sent again, so an import that was killed, or whose file came under another name, is
simply begun again: it goes on where it was. A stream that runs beside it takes in a little of it with each micro-batch, and so keeps its freshness; --per-second holds it back besides. A file of people is looked at before: who is in it more than once, what is missing, what stands out. Of a Delta table the next import reads what commits have added since, of a database what lies above the highest --key;
--again reads all of it. Records that the mapping makes no event of go to silver.events_quarantine, under the source. The `events` query takes
in what was sent, beside what else comes. `--dry-run` sends nothing. Ends with one JSON line.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.config import Config, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import SourceError
from lakehouse.events.clock import microseconds
from lakehouse.imports.sending import Sending, Trial
from lakehouse.imports.table_import import FOLDER, Kept, import_table, session_for_imports
from lakehouse.job import json_line, run
from lakehouse.lake import stamp
from lakehouse.machine import local_folder
from lakehouse.sources.history import Tally
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source
from lakehouse.spark.session import get_session

NAME = "import_records"
Send = Callable[[Sequence[Path]], Tally]


def main(argv: list[str]) -> None:
    arguments = _arguments(argv)
    config = load()
    source = Source.named(arguments.source, SOURCES, config)
    missing = [file for file in arguments.files if not file.exists()]
    if missing:
        raise SourceError(f"{missing[0]}: no such file, expected one that can be read. Name another")
    is_tried: bool = arguments.dry_run
    sending = None if is_tried else Sending(config, source, _remote(config), _tell, per_second=arguments.per_second)
    there = sending or Trial(config, _tell)

    def send(files: Sequence[Path]) -> Tally:
        filled = _reported(files[0], source, is_tried=is_tried) if source.mapping.is_of_people else source
        return there.send(files, filled)

    # People are told of file by file.
    parts = [[file] for file in arguments.files] if source.mapping.is_of_people else [arguments.files]
    tallies = [send(files) for files in parts] if arguments.files else [_table(arguments, config, source, send)]
    if sending is not None:
        sending.ended()
    for tally in tallies:
        for why, count in tally.reasons.most_common():
            print(f"to quarantine, {count:,} records: {why}")
    names = ("records", "sent", "known", "skipped", "unmapped")
    counts = {name: sum(getattr(tally, name) for tally in tallies) for name in names}
    print(json_line({"command": NAME, "source": source.name, "dry_run": is_tried, **counts}))


def _remote(config: Config) -> SparkSession | None:
    """Whose file system client writes small files of a remote lake; a local one needs none."""
    return None if local_folder(config.lake.root) else get_session(config, NAME)


def _reported(file: Path, source: Source, *, is_tried: bool) -> Source:
    """Prints and stores what a file of people is like; the source with what it lets the file fill in."""
    from lakehouse.sources.people_report import lines, people_report  # here: files of events need none

    config, now = source.config, datetime.now(UTC)
    report = people_report(records(file, source.format, config), source, microseconds(now))
    print("\n".join(lines(file.name, report)))
    if not is_tried:
        folder, name = f"{config.lake.root}/{FOLDER}/reports", f"{source.name}-{now:%Y%m%dT%H%M%S%f}.json"
        stamp.restamp(folder, name, json_line(report.document()), _remote(config))
        print(f"stored as {folder}/{name}")
    return source.filled_by(report.fills)


def _table(arguments: argparse.Namespace, config: Config, source: Source, send: Send) -> Tally:
    # Here: a file needs neither Delta nor JDBC.
    from lakehouse.imports.database import Database, DatabaseToImport, credentials
    from lakehouse.imports.delta_table import DeltaTableToImport

    spark = session_for_imports(get_session(config, NAME))
    table: DatabaseToImport | DeltaTableToImport
    if arguments.delta:
        takes_changes = arguments.take_changes or source.mapping.is_of_states
        at = {"version": arguments.version, "as_of": arguments.as_of}
        table = DeltaTableToImport(spark, arguments.delta, takes_changes=takes_changes, **at)
    else:
        query = arguments.query or f"SELECT * FROM {arguments.table}"
        where = Database(
            url=arguments.jdbc,
            query=query,
            key=arguments.key,
            parts=arguments.parts,
            credentials=credentials(os.environ),
        )
        table = DatabaseToImport(spark, where)
    kept = Kept(root=config.lake.root, source=source.name, table=table.name, spark=spark)
    return import_table(
        table,
        kept,
        lambda folder: send([folder]),
        _tell,
        format_=source.format,
        again=arguments.again,
        is_tried=arguments.dry_run,
    )


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("files", nargs="*", type=Path, default=[])
    parser.add_argument("--source", required=True)
    parser.add_argument("--delta", metavar="PATH")
    at = parser.add_mutually_exclusive_group()
    at.add_argument("--version", type=int)
    at.add_argument("--as-of", type=_moment, metavar="TIME")
    parser.add_argument("--take-changes", action="store_true", help="rows that commits changed are records, too")
    parser.add_argument("--jdbc", metavar="URL")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--table")
    what.add_argument("--query")
    parser.add_argument("--key", default="", help="a column that grows")
    parser.add_argument("--parts", type=int, default=4, help="connections that read at once")
    parser.add_argument("--again", action="store_true", help="read all of the table, whatever was imported before")
    parser.add_argument(
        "--per-second", type=float, help="messages at most; else as many as streams of this machine let in"
    )
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args(argv)
    if sum(map(bool, (arguments.files, arguments.delta, arguments.jdbc))) != 1:
        parser.error("got not one of files, --delta and --jdbc, expected exactly one of them")
    if bool(arguments.jdbc) != bool(arguments.table or arguments.query):
        parser.error("--jdbc and one of --table and --query belong together")
    of_delta = arguments.version is not None or arguments.as_of or arguments.take_changes
    if (
        (of_delta and not arguments.delta)
        or (arguments.key and not arguments.jdbc)
        or (arguments.again and arguments.files)
    ):
        parser.error("--version, --as-of and --take-changes belong to --delta, --key to --jdbc, --again to either")
    return arguments


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tell(line: str) -> None:
    print(f"{NAME}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
