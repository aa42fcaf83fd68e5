"""quarantine: what was rejected, why, and what of it is an event by now.

./spark-submit.sh quarantine list                                   records by source and reason, with first and last arrival
./spark-submit.sh quarantine show REASON [--limit N] [--bytes]      the newest open records of a reason, without personal data
./spark-submit.sh quarantine replay [--reason REASON] [--dry-run]   after a fix: what is an event by now is sent again, once

`replay` runs beside streaming, which takes in what it sends; restart streaming first when code or configuration was mended. Run it again at
any time: what is settled stays so, and one that was killed is simply begun again. `--bytes` reads the records from bronze.events: whoever may not
read that sees none. list and replay end with one JSON line.
"""

import argparse
import functools
from collections.abc import Iterable, Iterator

from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehouse.config import Config, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import StitchlakeError
from lakehouse.events.own_fields import OwnFields
from lakehouse.events.parse import parse
from lakehouse.events.quarantine import PLACE, still_open, without_personal_data
from lakehouse.events.reasons import REASONS, UNMAPPED
from lakehouse.job import json_line, run
from lakehouse.kafka.broker import reachable
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake import audit
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import QUARANTINE_REPLAYS, writer
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.queries.declarations import declarations
from lakehouse.queries.quarantine_replay import Outcome, Tally, replay
from lakehouse.sources.source import Source
from lakehouse.spark.session import get_session
from lakehouse.tables.events import (
    BRONZE_EVENTS,
    SILVER_EVENTS,
    SILVER_EVENTS_QUARANTINE,
    SILVER_QUARANTINE_REPLAYS,
)

NAME = "quarantine"
_READ = (BRONZE_EVENTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE)
_MOST_SHOWN = 2_000  # characters of one record
_WORDS = {
    Outcome.SENT: "sent to the topic",
    Outcome.THERE: "there already",
    Outcome.REJECTED: "rejected still",
    Outcome.CONFLICT: "of a message id that another event has",
    Outcome.REMEMBERED: "of a message id that the stream remembers: run it again in some days",
}


def summaries(lake: Lake) -> Iterator[Row]:
    """[source, reason, records, replayed, first, last], the most first. source: who sent them, as far as that can be read."""
    quarantine, replays = lake.read(SILVER_EVENTS_QUARANTINE), lake.read(SILVER_QUARANTINE_REPLAYS)
    settled = replays.select(*PLACE, F.lit(True).alias("is_settled"))
    records = quarantine.withColumns({"timestamp": F.col("quarantined_at"), "arrived_at": F.col("quarantined_at")})
    senders = parse(records, lake.config, declarations(lake.config)).select(*PLACE, "source")
    rows = quarantine.drop("value").join(senders, on=list(PLACE)).join(settled, on=list(PLACE), how="left")
    by_mapping = F.when(F.col("reason") == UNMAPPED, F.substring_index("detail", ": ", 1))
    by = rows.groupBy(F.coalesce(by_mapping, "source", F.lit("unknown")).alias("source"), "reason").agg(
        F.count("*").alias("records"),
        F.count("is_settled").alias("replayed"),
        F.min("quarantined_at").alias("first"),
        F.max("quarantined_at").alias("last"),
    )
    return by.orderBy(F.desc("records"), "source", "reason").toLocalIterator()


def listing(lake: Lake) -> Iterator[str]:
    """The lines of `list`."""
    records = replayed = 0
    yield f"{'source':<28}{'reason':<24}{'records':>9}{'replayed':>10}  {'first':<17}last (UTC)"
    for row in summaries(lake):
        records, replayed = records + row["records"], replayed + row["replayed"]
        first, last = (f"{row[name]:%Y-%m-%d %H:%M}" for name in ("first", "last"))
        yield f"{row['source'][:27]:<28}{row['reason']:<24}{row['records']:>9,}{row['replayed']:>10,}  {first} {last}"
    yield json_line({"command": "quarantine list", "records": records, "replayed": replayed})


def showing(lake: Lake, reason: str, *, limit: int, has_bytes: bool) -> Iterator[str]:
    """The lines of `show`: a record's place, what was wrong, and what it says."""
    quarantine = still_open(lake.read(SILVER_EVENTS_QUARANTINE), lake.read(SILVER_QUARANTINE_REPLAYS))
    newest = quarantine.where(F.col("reason") == reason).orderBy(F.desc("quarantined_at"), *PLACE).limit(limit)
    if has_bytes:
        newest = newest.drop("value").join(lake.read(BRONZE_EVENTS).select(*PLACE, "value"), on=list(PLACE))
    own = OwnFields(lake.config)
    for row in newest.collect():  # at most `limit`
        yield f"{row['topic']} {row['partition']} {row['offset']}, {row['quarantined_at']:%Y-%m-%d %H:%M} UTC: {row['detail'] or reason}"
        value = row["value"] if row["value"] is None else bytes(row["value"])
        if has_bytes:
            said = "no value" if value is None else _said(value)
        else:
            said = without_personal_data(value, own, lake.config.events)
        yield f"    {said[:_MOST_SHOWN]}"


def _said(value: bytes) -> str:
    """As text; of a registered schema, which begins with a byte 0, in hexadecimal digits."""
    return value.hex() if value.startswith(b"\0") else value.decode("utf-8", "backslashreplace")


def replayed(config: Config, *, reason: str | None, is_dry_run: bool) -> Iterator[str]:
    """Do it; the lines of `replay`."""
    config = reachable(config)
    lake = Lake(get_session(config, NAME), config)
    lake.require(_READ)
    send = None if is_dry_run else functools.partial(_send, config)
    sources = functools.cache(lambda name: Source.named(name, SOURCES, config))
    with writer(config, lake.spark, part=QUARANTINE_REPLAYS):
        lake.create(SILVER_QUARANTINE_REPLAYS)
        tally = replay(lake, sources, send, now=utc_now(), declared=declarations(config), reason=reason)
        Upkeep(lake, [SILVER_QUARANTINE_REPLAYS]).all(is_bounded=True)
    yield from _told(tally, is_dry_run)


def _send(config: Config, topic: str, messages: Iterable[Message]) -> None:
    produce(messages, config.kafka, topic, on_progress=lambda _: None)


def _told(tally: Tally, is_dry_run: bool) -> Iterator[str]:
    for outcome, count in tally.outcomes.most_common():
        yield f"{count:>9,}  {_WORDS[outcome]}"
        if outcome is Outcome.REJECTED:
            yield from (f"{'':9}    {of:,} {reason}: {REASONS[reason]}" for reason, of in tally.reasons.most_common())
    if tally.not_archived:
        yield f"{tally.not_archived:>9,}  not in bronze.events, or not yet"
    counts = {outcome.value: tally.outcomes[outcome] for outcome in Outcome}
    yield json_line(
        {"command": "quarantine replay", "dry_run": is_dry_run, "open": tally.open, **counts, "not_archived": tally.not_archived}
    )  # fmt: skip


def main(argv: list[str]) -> None:
    options = arguments(argv)
    reason = getattr(options, "reason", None)
    if reason is not None and reason not in REASONS:
        raise StitchlakeError(
            f"quarantine: no such reason, got '{reason}', expected one of {', '.join(REASONS)}. See ./spark-submit.sh quarantine list"
        )
    config = load()
    if options.word == "replay":
        lines = replayed(config, reason=reason, is_dry_run=options.dry_run)
    else:
        lake = Lake(get_session(config, NAME), config)
        lake.require((*_READ, SILVER_QUARANTINE_REPLAYS))
        is_list = options.word == "list"
        lines = (
            listing(lake) if is_list else showing(lake, options.reason, limit=options.limit, has_bytes=options.bytes)
        )
    if getattr(options, "bytes", False):
        audit.note_read(config, "quarantine show --bytes", {"reason": reason, "most": options.limit})
    for line in lines:
        print(line)


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("list")
    show = words.add_parser("show")
    show.add_argument("reason", metavar="REASON")
    show.add_argument("--limit", type=int, default=20, metavar="N")
    show.add_argument("--bytes", action="store_true")
    again = words.add_parser("replay")
    again.add_argument("--reason", metavar="REASON")
    again.add_argument("--dry-run", action="store_true")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run(main)
