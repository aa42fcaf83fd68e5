"""online_store: the online store filled from gold, or compared with it.

    ./spark-submit.sh batch/online_store.py [--check]

Puts every profile of gold.activation and every identifier, and takes out what is there besides; files that cannot be read are
deleted first. Timelines are left as they are. Run it while the streaming driver is stopped (on one machine); the
`events` query itself does the same at its start where it is due. `--check` changes nothing, and exits 1 on a difference.
Ends with one JSON line.
"""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from lakehouse.config import Config, load
from lakehouse.errors import StoreError
from lakehouse.events.fact_tables import FACT_TABLES
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.kept_features import marked
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import writer
from lakehouse.online.content import differences, fill, fill_facts
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.lmdb_environment import discard
from lakehouse.online.store import LMDB, OnlineStore
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import utc_now
from lakehouse.profiles.stitching.identity_tables import current_index
from lakehouse.spark.session import get_session
from lakehouse.tables.identity import SILVER_IDENTITY_MAP

TIMEOUT_MS = 5000
_NEEDED = (GOLD_ACTIVATION, SILVER_IDENTITY_MAP, *FACT_TABLES)
FAULTS = ("missing", "different", "strangers", "wrong_identifiers")


def opened(config: Config, *, anew: bool) -> OnlineStore:
    """The configured store. `anew`: embedded files that cannot be read make way for new ones."""
    url = store_url(config)
    try:
        return open_store(url, timeout_ms=TIMEOUT_MS)
    except StoreError:
        if not anew or not url.startswith(LMDB):
            raise
        discard(Path(url.removeprefix(LMDB)).absolute())
        return open_store(url)


def rebuild(lake: Lake, store: OnlineStore, features: Features = NO_FEATURES) -> dict[str, object]:
    """Fill the store, and put the facts of the lake into the one of what is told to the service; how many that did not know."""
    index = current_index(lake)
    with closing(open_kept_store(lake.config)) as kept:
        facts = fill_facts(kept, lake)
    return {"profiles": fill(store, lake, index, now=utc_now(), features=features), "facts": facts}


def check(lake: Lake, store: OnlineStore, features: Features = NO_FEATURES) -> dict[str, object]:
    """Counts of what differs, and whether nothing does."""
    found = differences(store, lake, current_index(lake), features)
    return {**found, "is_equal": not any(found[fault] for fault in FAULTS)}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="online_store")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args(argv)
    config = load()
    lake = Lake(get_session(config, "online_store"), config)
    lake.require(_NEEDED)
    features = marked(lake, declared_features(config))
    with writer(config, lake.spark):
        store = opened(config, anew=not arguments.check)
        try:
            said = check(lake, store, features) if arguments.check else rebuild(lake, store, features)
        finally:
            store.close()
    print(json.dumps({"command": "online_store", **said}))
    if not said.get("is_equal", True):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
