"""A training set of declared features at the ends of past days: see lakehouse/training/feature_set.py.

./spark-submit.sh ml/feature_set.py --days 2026-01-31,2026-02-28 --to FOLDER [--purpose personalization]

FOLDER must not be there yet: Parquet files of profile_id, as_of and a column for each feature of conf/features.yaml. Only those are in it who
consented to the purpose. Ends with one JSON line.
"""

import argparse
from collections.abc import Sequence
from datetime import date

from lakehouse.config import load
from lakehouse.errors import StitchlakeError
from lakehouse.job import json_line, run
from lakehouse.lake.delta import Lake
from lakehouse.profiles.silver.feature_days import SILVER_FEATURE_DAYS
from lakehouse.spark.session import get_session
from lakehouse.training.feature_set import declared, feature_set


def main(argv: Sequence[str]) -> int:
    config = load()
    parser = argparse.ArgumentParser(prog="feature_set", description=__doc__)
    parser.add_argument("--days", required=True, help="UTC days, separated by commas")
    parser.add_argument("--to", required=True, help="folder that is not there yet")
    parser.add_argument("--purpose", choices=config.consent.purposes, default="personalization")
    arguments = parser.parse_args(argv)
    days = _days(arguments.days)
    lake = Lake(get_session(config, "feature_set"), config)
    features = declared(lake)
    lake.require([SILVER_FEATURE_DAYS])
    feature_set(lake, features, days, purpose=arguments.purpose).write.mode("errorifexists").parquet(arguments.to)
    rows = lake.spark.read.parquet(arguments.to).count()
    print(json_line({"command": "feature_set", "days": len(days), "features": len(features.features), "rows": rows}))
    return 0


def _days(told: str) -> list[date]:
    try:
        return [date.fromisoformat(day) for day in told.split(",")]
    except ValueError as error:
        raise StitchlakeError(f"--days: got '{told[:60]}', expected days such as 2026-01-31,2026-02-28") from error


if __name__ == "__main__":
    run(main)
