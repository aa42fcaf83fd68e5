"""Microseconds for a thousand rules on one event, as the API evaluates them.

    ./spark-submit.sh tests/benchmarks/rules.py [--rules 1000]

Twice: rules that name what they are about (a product, a category, a segment: they are looked up), and the worst case, in which
every rule must be evaluated. Limit: 2 ms.
"""

import argparse
import json
import time
from datetime import UTC, datetime

import numpy as np

from lakehouse.config import load
from lakehouse.job import run
from lakehouse.rules.book import Rule, RuleBook
from lakehouse.rules.parse import parse
from lakehouse.rules.vocabulary import prepared
from tests.benchmarks.machine import machine

LIMIT_MICROSECONDS = 2000.0
ROUNDS = 2000
NAMED = "event_name = 'Product Viewed' and product_id = 'p-{0}' and not array_contains(coalesce(bought_30d, array()), 'p-{0}')"
WORST = "frequency >= {0} and (monetary > {0} or hour(from_utc_timestamp(now, 'Europe/Berlin')) >= 18) and size(viewed_24h) > {1}"
CONTEXT = {
    "event_type": "track",
    "event_name": "Product Viewed",
    "product_id": "p-17",
    "frequency": 500,
    "monetary": 812.5,
    "segment": "champions",
    "viewed_24h": ["p-17", "p-3"],
    "bought_30d": ["p-9"],
    "now": datetime(2026, 11, 26, 18, tzinfo=UTC),
}


def book(template: str, count: int) -> RuleBook:
    rules = {
        f"r{n}": Rule(name=f"r{n}", owner="benchmark", when=template.format(n, n % 4), effect="propose", offer="o")
        for n in range(count)
    }
    return RuleBook(rules, {name: parse(rule.when) for name, rule in rules.items()}, [])


def measured(rules: RuleBook) -> dict[str, float]:
    microseconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        rules.matching(prepared(CONTEXT))
        microseconds.append((time.perf_counter() - started) * 1e6)
    return {
        name: round(float(np.quantile(microseconds, share)), 1) for name, share in (("p50_us", 0.5), ("p99_us", 0.99))
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="rules")
    parser.add_argument("--rules", type=int, default=1000)
    count = parser.parse_args(argv).rules
    looked_up, every = measured(book(NAMED, count)), measured(book(WORST, count))
    result = {"benchmark": "rules", "rules": count, "looked_up": looked_up, "every_rule_evaluated": every}
    share = round(every["p50_us"] / LIMIT_MICROSECONDS, 2)
    print(json.dumps(result | {"share_of_limit": share, **machine(load())}))


if __name__ == "__main__":
    run(main)
