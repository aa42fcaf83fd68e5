"""What a champion of `uplift_decisions` costs micro-batches of few rows, and a batch of everybody.

    ./spark-submit.sh tests/benchmarks/targeted_offer.py [--people 5000] [--batches 12] [--batch 1200] [--rounds 3]

Micro-batches of views by random people, with a purchase score as champion, without and with a targeting policy beside it, in turns: the JVM gets
faster all the time. Figures are medians over all turns; `rollup` is the part in which gold is derived. `everybody_seconds` is the batch
that takes a champion up, `withdrawn_seconds` the one that takes its offers away.
"""

import argparse
import json
import random
import statistics
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from lakehouse.catalog import TABLES
from lakehouse.job import run
from lakehouse.lake.delta import Lake
from lakehouse.models.publish import Trained, open_registry, publish
from lakehouse.models.registry import CHAMPION, Champions, set_champion
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY, TARGETED_OFFER
from lakehouse.profiles.leaf import leaf, with_day
from lakehouse.profiles.micro_batch import MicroBatch
from tests.accepted import event, events, once
from tests.benchmarks.identity import scratch
from tests.benchmarks.machine import machine
from tests.lakehouse.targeting.policies import over_features

START = datetime(2026, 2, 1, tzinfo=UTC)
STAGES = ("rollup", "models", "total")
WARM = 3  # batches before those that count


class Shop:
    """A lake and the batches that come into it."""

    def __init__(self, lake: Lake, people: int) -> None:
        self.lake, self.people = lake, people
        self.batch = MicroBatch(lake, Champions(lake.config))
        self._chance = random.Random(1)
        self._number = 0

    def views(self, persons: list[int]) -> dict[str, float]:
        """A batch of one view each; its seconds by stage."""
        self._number += 1
        when = (START + timedelta(minutes=self._number)).strftime("%Y-%m-%d %H:%M")
        rows = [event(f"m{self._number}-{n}", when, user_id=f"u{person}") for n, person in enumerate(persons)]
        self.batch(leaf(with_day(events(self.lake.spark, rows)), rates={}), once(self._number))
        return self.batch.records[-1].seconds

    def some(self, count: int) -> dict[str, float]:
        return self.views(self._chance.sample(range(self.people), count))


def publish_both(lake: Lake) -> str:
    """A purchase score as champion, and a policy that is none; its version."""
    score = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.5, weights={"views_7d": 0.1})
    known = {"metrics": {}, "settings": {}, "snapshot": {}}
    publish(lake.config, Trained(name=PURCHASE_PROPENSITY.model, parameters=score.to_parameters(), **known))
    parameters = over_features().to_parameters()
    return publish(lake.config, Trained(name=TARGETED_OFFER.model, parameters=parameters, **known), is_champion=False)


def measure(shop: Shop, batches: int, size: int, rounds: int) -> dict[str, object]:
    config = shop.lake.config
    version = publish_both(shop.lake)
    shop.views(list(range(shop.people)))
    taken: dict[str, list[dict[str, float]]] = defaultdict(list)
    everybody, withdrawn = [], []
    for _ in range(rounds):
        taken["without"] += [shop.some(size) for _ in range(WARM + batches)][WARM:]
        set_champion(config, TARGETED_OFFER.model, version)
        everybody.append(shop.some(size)["total"])
        taken["with"] += [shop.some(size) for _ in range(WARM + batches)][WARM:]
        open_registry(config).delete_registered_model_alias(TARGETED_OFFER.model, CHAMPION)
        withdrawn.append(shop.some(size)["total"])
    figures: dict[str, object] = {
        f"{stage}_seconds_{name}": round(statistics.median(seconds[stage] for seconds in found), 3)
        for name, found in taken.items()
        for stage in STAGES
    }
    return figures | {"everybody_seconds": everybody, "withdrawn_seconds": withdrawn}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="targeted_offer")
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--batch", type=int, default=1_200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    with scratch("targeted-offer") as lake:
        lake.create_missing(TABLES.values())
        found = measure(Shop(lake, arguments.people), arguments.batches, arguments.batch, arguments.rounds)
        result = {"benchmark": "targeted_offer", **vars(arguments), **found, **machine(lake.config)}
    print(json.dumps(result))


if __name__ == "__main__":
    run(main)
