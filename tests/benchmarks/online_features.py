"""What features cost the online store and a decision: bytes of a document, milliseconds of a micro-batch, microseconds of a read.

    ./spark-submit.sh tests/benchmarks/online_features.py [--features 50] [--profiles 500] [--days 30]

Features are drawn at random, half of them by the UTC day and as many by the minute. Each profile has something of every partial sum on --days days. No Spark: it is
what the driver and the service do. Limit: reading all of them takes a decision 1 ms at most, of the 50 it has.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from lakehouse.config import load
from lakehouse.features.definition import DAY, NO_FEATURES, Features
from lakehouse.features.online_sums import carried, online_sums
from lakehouse.features.online_values import OnlineFeatures
from lakehouse.job import run
from lakehouse.online.online_profile import OnlineProfile
from tests import feature_oracle as oracle
from tests.benchmarks.machine import machine
from tests.online_people import person

SEED, ROUNDS, LIMIT_MICROSECONDS = 17, 300, 1000.0
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def drawn(folder: Path, count: int) -> Features:
    """So many online features."""
    entries = [entry for entry in oracle.online(oracle.random_declarations(SEED, 2 * count)) if entry["online"]]
    return oracle.declared(folder, entries[:count])


def stored(features: Features, profiles: int, days: int) -> pa.Table:
    """Rows of silver.feature_days: of each profile one actor, and on each day a sum of every partial."""
    chance, rows = random.Random(SEED), list[dict[str, Any]]()
    for profile in range(profiles):
        for back in range(days):
            at = (NOW - timedelta(days=back)).replace(hour=0)
            rows.append(
                {"actor_id": f"a{profile}", "activity_date": at.date(), "partials": _partials(features, at, chance)}
            )
    return pa.Table.from_pylist(rows, schema=oracle.FEATURE_DAYS)


def _partials(features: Features, day: datetime, chance: random.Random) -> list[dict[str, Any]]:
    told = []
    for partial in features.partials:
        at = day if partial.grain == DAY else day + timedelta(minutes=chance.randrange(600))
        number = None if partial.number is None else chance.randrange(10_000) / 100
        text = None if partial.text is None else f"p{chance.randrange(100)}"
        seen = {"at": at, "message_id": f"m{chance.random()}", "line": 0, "number": number, "text": text}
        has_value = number is not None or text is not None
        told.append(
            {"name": partial.name, "at": at, "events": 3, "values": 3 * has_value, "last_at": at}
            | {"total": None if number is None else 3 * Decimal(str(number)), "least": number, "most": number}
            | {"first": seen if has_value else None, "last": seen if has_value else None, "counts": None}
        )  # fmt: skip
    return told


def median(function: Callable[[], Any], scale: float) -> float:
    """Of ROUNDS calls, in seconds / `scale`."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        function()
        took.append(time.perf_counter() - began)
    return round(statistics.median(took) / scale, 2)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="online_features")
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--profiles", type=int, default=500)
    parser.add_argument("--days", type=int, default=30)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        features = drawn(Path(folder), arguments.features)
    kinds, days = carried(features), stored(features, arguments.profiles, arguments.days)
    profile_of = {f"a{n}": f"profile-{n}" for n in range(arguments.profiles)}
    as_of = dict.fromkeys(profile_of.values(), NOW)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        sums = online_sums(days, profile_of, as_of, kinds)
        took.append((time.perf_counter() - began) * 1000)
    plain = person("profile-0", [("user_id", "u")]).encode()
    encoded = person("profile-0", [("user_id", "u")], sums=orjson.dumps(sums["profile-0"]).decode()).encode()
    held = OnlineProfile.decode(encoded)
    read = median(lambda: dict(OnlineFeatures(features, held.read_sums, NOW)), 1e-6)
    result = {
        "benchmark": "online_features",
        "features": len(features.online),
        "partial_sums": len(kinds),
        "profiles": arguments.profiles,
        "days": arguments.days,
        "document_bytes_without": len(plain),
        "document_bytes": len(encoded),
        "sums_of_all_profiles_ms": round(statistics.median(took), 1),
        "encode_us": median(lambda: orjson.dumps(sums["profile-0"]), 1e-6),
        "decode_us_without": median(lambda: OnlineProfile.decode(plain), 1e-6),
        "decode_us": median(lambda: OnlineProfile.decode(encoded), 1e-6),
        "read_none_us": median(lambda: OnlineFeatures(NO_FEATURES, held.read_sums, NOW), 1e-6),
        "read_all_us": read,
    }
    print(json.dumps(result | machine(load())))
    return 1 if read > LIMIT_MICROSECONDS else 0


if __name__ == "__main__":
    run(main)
