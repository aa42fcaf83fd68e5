"""rebuild: every table of profiles computed from silver in one batch.

./spark-submit.sh batch/rebuild.py                 # overwrite them; gold.segments and gold.audiences keep their history
./spark-submit.sh batch/rebuild.py --from-bronze   # silver first, from the archive; then as above
./spark-submit.sh batch/rebuild.py --check         # write nothing, print differences per table, exit 1 on any
"""

import json
from contextlib import nullcontext

from lakehouse.audiences.kept_audiences import note_kept
from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.errors import StitchlakeError
from lakehouse.events.event_rows import NOTHING_DECLARED, Declarations
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import keep, marked, note_filled
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.job import flags, run
from lakehouse.lake.beginnings import beginning
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import refilling
from lakehouse.models.registry import Champions
from lakehouse.profiles.check import balance, check_events, check_profiles
from lakehouse.profiles.gold.audiences import NO_AUDIENCES, Audiences
from lakehouse.profiles.kept_rows import RECORDS, kept_rows
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.rebuild import SOURCES, read_again, rebuild
from lakehouse.profiles.repair import overwrite
from lakehouse.profiles.window_ends import note_made
from lakehouse.queries import events
from lakehouse.queries.declarations import declarations, declared_audiences
from lakehouse.queries.silver_from_bronze import refill
from lakehouse.queries.unfinished import last_batch
from lakehouse.spark.opened_lake import opened
from lakehouse.tables.events import BRONZE_EVENTS, SILVER_EVENTS_QUARANTINE

CHECK, FROM_BRONZE = "--check", "--from-bronze"


def check(
    lake: Lake,
    declared: Declarations = NOTHING_DECLARED,
    features: Features = NO_FEATURES,
    audiences: Audiences = NO_AUDIENCES,
) -> int:
    """Print differences per table and one JSON line; the number of differing rows. `declared`, `features`, `audiences`: see `rebuild`."""
    champions = Champions.now(lake.config)
    read = read_again(lake, declared).persist()
    counted = balance(lake, declared, read)
    rebuilt = rebuild(
        lake, champions, now=utc_now(), keep_as_of=True, declared=declared, features=features, audiences=audiences, read=read
    )  # fmt: skip
    differences = [*check_events(lake, counted), *check_profiles(lake, rebuilt)]
    _tell_kept(lake, is_check=True)
    print(f"{'table':28}{'rows':>10}{'missing':>10}{'extra':>10}{'changed':>10}")
    for d in differences:
        print(f"{d.table:28}{d.rows:>10}{d.missing:>10}{d.extra:>10}{d.changed:>10}")
    total = sum(d.total for d in differences)
    tables = {d.table: {"rows": d.rows, "differences": d.total} for d in differences}
    records = {"bronze": counted.bronze, "accepted": counted.accepted, "quarantine": counted.quarantine}
    records |= {"duplicates": counted.repeats, "facts": counted.facts}
    print(json.dumps({"command": "rebuild --check", "differences": total, "tables": tables, "events": records}))
    return total


def _tell_kept(lake: Lake, *, is_check: bool) -> None:
    """From when on tables can be made again, if not from the first record on, and what a check has not compared."""
    tables = (*RECORDS, SILVER_EVENTS_QUARANTINE)
    begun = {table.name: one.day for table in tables if (one := beginning(lake, table)) is not None}
    if not begun:
        return
    told = [", ".join(f"{name} begins on {day.isoformat()}" for name, day in begun.items())]
    told[0] += ": rows of before have gone by [retention]"
    if (kept := kept_rows(lake)) is not None:
        told.append(
            f"What was made of them is taken as it is stored{', and was not compared' if is_check else ''}: days, facts and statements before "
            f"{kept.since.isoformat()}, sessions of that day too"
        )
        if is_check:
            told.append(f"Records are balanced from {kept.balanced_from.date().isoformat()} on")
    if is_check:
        told.append("Rejected records were not compared")
    print(". ".join(told))


def check_declared(lake: Lake) -> int:
    """`check` by what the files of conf/ declare, as the streams do."""
    declared = declarations(lake.config)
    features = marked(lake, declared_features(lake.config))
    return check(lake, declared, features, declared_audiences(lake.config, features).audiences)


def main(argv: list[str]) -> int:
    asked = flags(argv, CHECK, FROM_BRONZE)
    is_check, is_refill = CHECK in asked, FROM_BRONZE in asked
    if is_check and is_refill:
        raise StitchlakeError(f"arguments: got {CHECK} and {FROM_BRONZE}, expected one of them: a check writes nothing")
    config = load()
    with opened(config, "rebuild", rebuilds=not is_check, refills=is_refill) as lake:
        if is_check:
            lake.require(TABLES.values())
            return 1 if check_declared(lake) else 0
        lake.bring_up(TABLES.values(), of=(BRONZE_EVENTS,) if is_refill else SOURCES)
        with refilling(config) if is_refill else nullcontext():
            if is_refill:
                refill(lake, declarations(config))
            overwrite_profiles(lake)
        _tell_kept(lake, is_check=False)
        print("rebuilt")
        return 0


def overwrite_profiles(lake: Lake) -> None:
    """Every table of profiles becomes what follows from silver."""
    champions = Champions.now(lake.config)
    now, declared = utc_now(), declarations(lake.config)
    features = declared_features(lake.config)
    audiences = declared_audiences(lake.config, features).audiences
    keep(lake, features)
    rebuilt = rebuild(
        lake, champions, now=now, keep_as_of=False, declared=declared, features=features, audiences=audiences
    )
    overwrite(lake, rebuilt, now=now, has=last_batch(lake, events.NAME))
    note_filled(lake, features)
    if audiences:  # where none is declared, streaming closes what is left of others
        note_kept(lake, audiences)
    note_made(lake, marked(lake, features))


if __name__ == "__main__":
    run(main)
