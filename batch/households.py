"""households: gold.households, which profiles live together, computed from silver and overwritten whole.

    ./spark-submit.sh batch/households.py

Nightly is usual; streams may run meanwhile, for nothing else writes the table, and running it twice changes nothing. Ends with
one JSON line: profiles that live in a household, households, and the institutions that were left out.
"""

import json
import logging
from datetime import datetime

from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.job import flags, run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import HOUSEHOLDS, writer
from lakehouse.maintenance.upkeep import Upkeep
from lakehouse.profiles.gold.households import GOLD_HOUSEHOLDS, homes, households, institutions
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.silver.personal_traits import SILVER_PERSONAL_TRAITS
from lakehouse.spark.session import get_session
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

log = logging.getLogger("stitchlake.households")
_NEEDED = (SILVER_EVENTS, SILVER_PERSONAL_TRAITS, SILVER_IDENTITY_MAP)


def overwrite_households(lake: Lake, *, now: datetime) -> dict[str, int]:
    """Set gold.households to what silver says; how many profiles, households and institutions there are."""
    bound = lake.config.households.max_members
    events, traits, identity_map = (lake.read(table) for table in _NEEDED)
    found = homes(events, traits, identity_map, config=lake.config).persist()
    try:
        lake.create(GOLD_HOUSEHOLDS)
        lake.overwrite(households(found, max_members=bound, now=now), GOLD_HOUSEHOLDS)
        too_large = (
            institutions(found, max_members=bound).groupBy("basis").agg(F.count("*"), F.sum("members")).collect()
        )
    finally:
        found.unpersist()
    for basis, count, members in too_large:  # at most one row per basis
        log.warning("households: %d by %s of more than %d profiles are institutions: %d profiles get no row for them",
                    count, basis, bound, members)  # fmt: skip
    written = lake.read(GOLD_HOUSEHOLDS).agg(F.count("*"), F.count_distinct("household_id")).first()
    assert written is not None
    return {"profiles": written[0], "households": written[1], "institutions": sum(row[1] for row in too_large)}


def main(argv: list[str]) -> None:
    flags(argv)
    config = load()
    lake = Lake(get_session(config, "households"), config)
    lake.require(_NEEDED)
    with writer(config, lake.spark, part=HOUSEHOLDS):
        said = overwrite_households(lake, now=utc_now())
        Upkeep(lake, [GOLD_HOUSEHOLDS]).all(is_bounded=True)
    print(json.dumps({"command": "households", **said}))


if __name__ == "__main__":
    run(main)
