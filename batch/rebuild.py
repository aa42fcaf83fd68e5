"""rebuild: every table of profiles computed from silver in one batch.

./spark-submit.sh batch/rebuild.py           # overwrite them; gold.segments keeps its history
./spark-submit.sh batch/rebuild.py --check   # write nothing, print differences per table, exit 1 on any
"""

import json

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.models.registry import Champions
from lakehouse.profiles.check import balance, check_events, check_profiles
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.rebuild import SOURCES, rebuild
from lakehouse.profiles.repair import overwrite
from lakehouse.queries import events
from lakehouse.spark.session import get_session

CHECK = "--check"


def check(lake: Lake) -> int:
    """Print differences per table and one JSON line; the number of differing rows."""
    champions = Champions(lake.config)
    champions.refresh()
    counted = balance(lake)
    rebuilt = rebuild(lake, champions, now=utc_now(), keep_as_of=True)
    differences = [*check_events(lake, counted), *check_profiles(lake, rebuilt)]
    print(f"{'table':28}{'rows':>10}{'missing':>10}{'extra':>10}{'changed':>10}")
    for d in differences:
        print(f"{d.table:28}{d.rows:>10}{d.missing:>10}{d.extra:>10}{d.changed:>10}")
    total = sum(d.total for d in differences)
    tables = {d.table: {"rows": d.rows, "differences": d.total} for d in differences}
    records = {"bronze": counted.bronze, "accepted": counted.accepted, "quarantine": counted.quarantine}
    records |= {"duplicates": counted.repeats, "facts": counted.facts}
    print(json.dumps({"command": "rebuild --check", "differences": total, "tables": tables, "events": records}))
    return total


def main(argv: list[str]) -> int:
    is_check = CHECK in flags(argv, CHECK)
    config = load()
    with writer(config, rebuilds=not is_check):
        lake = Lake(get_session(config, "rebuild"), config)
        if is_check:
            lake.require(TABLES.values())
            return 1 if check(lake) else 0
        lake.bring_up(TABLES.values(), of=SOURCES)
        champions = Champions(config)
        champions.refresh()
        now = utc_now()
        rebuilt = rebuild(lake, champions, now=now, keep_as_of=False)
        overwrite(lake, rebuilt, now=now, has=events.last_batch(lake))
        print("rebuilt")
        return 0


if __name__ == "__main__":
    run(main)
