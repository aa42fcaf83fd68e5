"""The declared features checked.

./spark-submit.sh features check [FILE]   its faults, or what is in it

Ends with one JSON line; exit code 1 on a fault.
"""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from lakehouse.config import load
from lakehouse.config.paths import FEATURES
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.feature_book.book import declared_features
from lakehouse.features.definition import Feature
from lakehouse.job import describe


def main(argv: Sequence[str]) -> int:
    match argv:
        case ["check", *files] if len(files) < 2:
            return check(Path(files[0]) if files else FEATURES)
    raise StitchlakeError(f"features: got '{' '.join(argv)}', expected check [FILE]")


def check(path: Path) -> int:
    """Print what is in the file, or its faults; the exit code."""
    try:
        features = declared_features(load(), path)
    except ConfigError as error:
        print(describe(error), file=sys.stderr)
        print(json.dumps({"command": "features check", "faults": len(str(error).splitlines())}))
        return 1
    print(f"{'feature':<32}{'aggregation':<13}{'window':<18}{'version':<18}column")
    for feature in features.features:
        print(f"{feature.name:<32}{feature.aggregation:<13}{_window(feature):<18}{feature.version:<18}{feature.type}")
    counts = {"features": len(features.features), "partial_sums": len(features.partials)}
    print(json.dumps({"command": "features check", **counts, "faults": 0}))
    return 0


def _window(feature: Feature) -> str:
    if feature.parts is not None:
        return "-"
    return "lifetime" if feature.window is None else str(timedelta(microseconds=feature.window))
