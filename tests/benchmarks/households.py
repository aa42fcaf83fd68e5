"""How well the matcher keeps apart people who live together, and finds each of them.

    ./spark-submit.sh tests/benchmarks/households.py [--people 5000] [--seed 1] [--train-seed 1]

People in couples, families, with twins, of one name with their father, and behind one door, with one to four records each
(tests/lakehouse/matching/household_people.py). They go through the product's own steps: normalise, train, block, score, link.
`pair_precision` is over all pairs that were put together. `pair_recall` is over all pairs of one person, `recall_of_tellable`
over those that can be told; `is_tellable` there says which. By kind of household: pairs of two people of that kind that were put
together, and both shares. `strangers`: pairs of two people of different households. `--train-seed`: the matcher is trained on
other people, of that seed; else on those it judges, as a lake's is. Exits with 1 below a precision of 0.99 or a recall of those that
can be told of 0.95.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from lakehouse.config import load
from lakehouse.errors import ModelError
from lakehouse.job import run
from lakehouse.matching.accuracy import pairwise
from lakehouse.matching.fields import fields
from lakehouse.matching.person_file import PersonRecords
from lakehouse.matching.training import train
from lakehouse.spark.session import get_session
from tests.benchmarks.machine import machine
from tests.lakehouse.matching.household_people import TRAITS, Record, people, records, tellable_pairs
from tests.lakehouse.matching.labelled import Labelled, kept_pairs, linked, scored_pairs, values_of

LEAST_PRECISION, LEAST_RECALL = 0.99, 0.95


def matched(found: Sequence[Record], learned_from: Sequence[Record]) -> list[int]:
    """The person of every record, by a matcher trained on `learned_from`; everybody alone when it refuses."""
    config = load("dev", environ={})
    compared = fields(TRAITS)
    spark = get_session(config, "households")
    traits = written(found)
    values = values_of(spark, traits, compared)
    seen = values if learned_from is found else values_of(spark, written(learned_from), compared)
    try:
        trained = train(seen, compared, config.matching, config.privacy, region="US")
    except ModelError as error:
        print(f"no matcher: {error}", flush=True)
        return list(range(len(found)))
    read = PersonRecords(ids=[str(n) for n in range(len(found))], traits=traits, kinds=TRAITS, truth=None)
    data = Labelled(people=read, fields=compared, values=values, trained=trained, config=config)
    pairs = kept_pairs(scored_pairs(spark, data), trained.model)
    return linked(pairs, len(found), least=config.matching.match_probability)


def written(found: Sequence[Record]) -> dict[str, list[str | None]]:
    return {trait: [record.written.get(trait) for record in found] for trait in TRAITS}


def by_kind(found: Sequence[Record], groups: Sequence[int]) -> dict[str, dict[str, float]]:
    """Wrong pairs, precision and recall of tellable pairs, by kind of household."""
    members: dict[int, list[Record]] = {}
    for record, group in zip(found, groups, strict=True):
        members.setdefault(group, []).append(record)
    right, wrong = Counter[str](), Counter[str]()
    for together in members.values():
        for one, other in combinations([record.person for record in together], 2):
            counts = right if one.number == other.number else wrong
            counts[one.kind if one.household == other.household else "strangers"] += 1
    told, all_told = Counter[str](), Counter[str]()
    for a, b in tellable_pairs(found):
        all_told[found[a].person.kind] += 1
        told[found[a].person.kind] += groups[a] == groups[b]
    return {
        kind: {
            "wrong_pairs": wrong[kind],
            "pair_precision": round(right[kind] / max(right[kind] + wrong[kind], 1), 4),
            "recall_of_tellable": round(told[kind] / max(all_told[kind], 1), 4),
        }
        for kind in sorted(right.keys() | wrong.keys() | all_told.keys())
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="households")
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train-seed", type=int, default=None)
    options = parser.parse_args(argv)
    persons = people(options.people, options.seed)
    found = records(persons, options.seed + 100)
    train_seed = options.seed if options.train_seed is None else options.train_seed
    is_other = train_seed != options.seed
    others = records(people(options.people, train_seed), train_seed + 100) if is_other else found
    started = time.perf_counter()
    groups = matched(found, others)
    seconds = time.perf_counter() - started
    scores = pairwise(groups, [record.person.number for record in found])
    told = list(tellable_pairs(found))
    result: dict[str, Any] = {
        "benchmark": "households",
        "seed": options.seed,
        "train_seed": train_seed,
        "people": len(persons),
        "records": len(found),
        "pair_precision": round(scores.precision, 4),
        "pair_recall": round(scores.recall, 4),
        "tellable_pairs": len(told),
        "recall_of_tellable": round(sum(groups[a] == groups[b] for a, b in told) / max(len(told), 1), 4),
        "by_kind": by_kind(found, groups),
        "seconds": round(seconds, 1),
    }
    print(json.dumps(result | machine(load())))
    return int(result["pair_precision"] < LEAST_PRECISION or result["recall_of_tellable"] < LEAST_RECALL)


if __name__ == "__main__":
    run(main)
