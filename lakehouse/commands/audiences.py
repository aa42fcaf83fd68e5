"""The declared audiences checked, and tried on the lake.

./spark-submit.sh audiences check [FILE]     its faults, or what is in it and what each reads
./spark-submit.sh audiences preview [FILE]   how many profiles each would have, who would enter and leave, what two have in common

Ends with one JSON line; exit code 1 on a fault. No Spark is started; streams may run meanwhile.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.audiences.book import AudienceBook, read_audiences
from lakehouse.audiences.preview import Preview, preview
from lakehouse.audiences.vocabulary import words
from lakehouse.config import load
from lakehouse.config.paths import AUDIENCES
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.exports.source import Gold
from lakehouse.feature_book.book import declared_features
from lakehouse.features.definition import Features
from lakehouse.job import describe
from lakehouse.machine import local_folder


def main(argv: Sequence[str]) -> int:
    match argv:
        case ["check" | "preview" as verb, *files] if len(files) < 2:
            path = Path(files[0]) if files else AUDIENCES
            try:
                config = load()
                features = declared_features(config)
                book = read_audiences(path, features, config.consent.purposes)
            except ConfigError as error:
                print(describe(error), file=sys.stderr)
                print(json.dumps({"command": f"audiences {verb}", "faults": len(str(error).splitlines())}))
                return 1
            return check(book) if verb == "check" else try_out(book, features)
    raise StitchlakeError(f"audiences: got '{' '.join(argv)}', expected check [FILE] or preview [FILE]")


def check(book: AudienceBook) -> int:
    """Print what is in the file; the exit code."""
    print(f"{'audience':<32}{'purpose':<17}{'use':<9}{'version':<18}reads")
    for audience in book.audiences.all:
        entry = book.declared[audience.name]
        read = ", ".join(sorted(audience.reads))
        print(f"{audience.name:<32}{entry.purpose:<17}{entry.use:<9}{audience.version:<18}{read}")
    print(json.dumps({"command": "audiences check", "audiences": len(book.declared), "faults": 0}))
    return 0


def try_out(book: AudienceBook, features: Features) -> int:
    """Print sizes and overlaps on the lake that is configured; the exit code."""
    root = load().lake.root
    folder = local_folder(root)
    if folder is None or not (folder / "gold").is_dir():
        raise StitchlakeError(
            f"lake.root: got '{root}', expected a lake on this machine. Set STITCHLAKE__LAKE__ROOT, or ask gold.audiences itself"
        )
    found = preview(book, words(features), features, Gold(folder))
    _print_sizes(found)
    _print_shared(found)
    sizes = {name: len(members) for name, members in found.would_be.items()}
    print(json.dumps({"command": "audiences preview", "profiles": found.profiles, "sizes": sizes, "faults": 0}))
    return 0


def _print_sizes(found: Preview) -> None:
    print(f"{'audience':<32}{'profiles':>12}{'share':>9}{'are now':>12}{'would enter':>13}{'would leave':>13}")
    for name, would_be in found.would_be.items():
        are = found.are.get(name, frozenset())
        share = f"{100 * len(would_be) / max(1, found.profiles):.1f} %"
        enter, leave = len(would_be - are), len(are - would_be)
        print(f"{name:<32}{len(would_be):>12}{share:>9}{len(are):>12}{enter:>13}{leave:>13}")


def _print_shared(found: Preview) -> None:
    print(f"\n{'audience':<32}{'and':<32}{'in both':>12}{'of the first':>14}{'of the second':>15}")
    for first, second, both in found.shared():
        shares = [f"{100 * both / len(found.would_be[name]):.0f} %" for name in (first, second)]
        print(f"{first:<32}{second:<32}{both:>12}{shares[0]:>14}{shares[1]:>15}")
