"""The rule book checked and tried.

./spark-submit.sh rules check [FILE]   its faults, or what is in it
./spark-submit.sh rules test [FILE]    its own examples, each in Python and in Spark

Ends with one JSON line; exit code 1 on a fault, or when an answer is not as expected.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.actions.destinations import declared_names
from lakehouse.config import load
from lakehouse.config.paths import DESTINATIONS, OFFERS, RULES
from lakehouse.decisions.offers import read_catalogue
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.job import describe
from lakehouse.rules.book import RuleBook, read_rules
from lakehouse.rules.evaluate import compile_predicate
from lakehouse.rules.expression import reads
from lakehouse.rules.vocabulary import prepared


def main(argv: Sequence[str]) -> int:
    match argv:
        case ["check", *files] if len(files) < 2:
            return check(Path(files[0]) if files else RULES)
        case ["test", *files] if len(files) < 2:
            return test(Path(files[0]) if files else RULES)
    raise StitchlakeError(f"rules: got '{' '.join(argv)}', expected check [FILE] or test [FILE]")


def check(path: Path) -> int:
    """Print what is in the file, or its faults; the exit code."""
    book = _read(path)
    if book is None:
        return 1
    print(f"{'rule':<32}{'effect':<9}{'priority':>8}  {'in the stream on':<20} {'acts at':<12} reads")
    for rule in sorted(book.by_name.values(), key=lambda rule: (-rule.priority, rule.name)):
        words = ", ".join(dict.fromkeys(reads(book.expressions[rule.name])))
        events, acts_at = (", ".join(names) or "-" for names in (rule.events, rule.destinations))
        print(f"{rule.name:<32}{rule.effect:<9}{rule.priority:>8}  {events:<20} {acts_at:<12} {words}")
    print(json.dumps({"command": "rules check", "rules": len(book.by_name), "version": book.version, "faults": 0}))
    return 0


def test(path: Path) -> int:
    """Print what Python and Spark say of each of the file's examples; the exit code."""
    book = _read(path)
    if book is None:
        return 1
    by_spark = _by_spark(book)
    wrong = 0
    for example, spark_says in zip(book.examples, by_spark, strict=True):
        python_says = compile_predicate(book.expressions[example.rule])(prepared(example.given, book.words))
        answers = (python_says is True, spark_says is True)
        is_right = answers == (example.expect, example.expect)
        wrong += not is_right
        difference = (
            "" if is_right else f": expected {example.expect}, Python says {python_says}, Spark says {spark_says}"
        )
        print(f"{'ok   ' if is_right else 'WRONG'} {example.rule} {dict(example.given)}{difference}")
    untried = sorted(set(book.by_name) - {example.rule for example in book.examples})
    if untried:
        print(f"no example for: {', '.join(untried)}")
    print(json.dumps({"command": "rules test", "examples": len(book.examples), "wrong": wrong, "untried": untried}))
    return 1 if wrong else 0


def _read(path: Path) -> RuleBook | None:
    try:
        config = load()
        words = rule_words(declared_features(config))
        offers = read_catalogue(OFFERS, words, config.consent.purposes).offers
        return read_rules(path, offers, declared_names(DESTINATIONS), words)
    except ConfigError as error:
        print(describe(error), file=sys.stderr)
        print(json.dumps({"command": "rules", "faults": len(str(error).splitlines())}))
        return None


def _by_spark(book: RuleBook) -> list[object]:
    """What Spark says of every example: one row each, all of them in one job."""
    from pyspark.sql import functions as F

    from lakehouse.rules.column import to_column
    from lakehouse.rules.frame import frame_of
    from lakehouse.spark.session import get_session

    if not book.examples:
        return []
    spark = get_session(load(), "rules")
    rows = frame_of(spark, [example.given for example in book.examples], book.words)
    answers = [
        F.when(F.col("row") == number, to_column(book.expressions[example.rule]))
        for number, example in enumerate(book.examples)
    ]
    answer_rows = rows.select("row", F.coalesce(*answers).alias("answer")).collect()
    return [row["answer"] for row in sorted(answer_rows, key=lambda row: int(row["row"]))]
