"""No skew: one day through the stream gives the features and scores that batch and the API give; nothing of the past knows the future; time shows.

    ./spark-submit.sh tests/benchmarks/no_skew.py [--events 20000] [--parts 6] [--hours 24] [--corrects gold.contacts.email_source]

The demo's shop is streamed up to its last day, and purchase propensity, churn risk and lifetime value are trained on it and made champions, whatever the gate says:
what is held here is whether all answer alike. With --corrects purchase propensity is corrected by these groups (fairness.corrects). The last day is sent in --parts, each drained (availableNow) at its time of day. Then nobody comes any more,
and the clock goes on by quarters of an hour, for --hours. At last:

features       rows of gold.features that batch/rebuild.py's computation from silver says otherwise, and values that DuckDB over the events says otherwise
scores         largest distance of gold.scores from the rebuild, from the model's plain arrays over features of the same instant, and from GET /api/profiles
point in time  features at the end of the day before, when all of the last day happens 40 days later, for twice the money: none may be another. As a
               probe, the same events are moved to before that instant: some must be
lapse          whoever's last order became `next_best_action.lapsed_days` old meanwhile: how long after that gold said so, the making of it included

Exit code 1 where a row or value differs, a score differs by more than 1e-9, an answer is missing, nobody lapsed, or one showed later than 15 minutes.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from deltalake import DeltaTable

from lakehouse.config import load
from lakehouse.demo.shop import Shop
from lakehouse.demo.shop.clock import END
from lakehouse.job import run
from lakehouse.kafka.message import Message
from lakehouse.kafka.produce import produce
from lakehouse.lake.delta import Lake
from lakehouse.models import aliases
from lakehouse.models.registry import Champions
from lakehouse.profiles.declared_scores import CLV
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.micro_batch import MicroBatch
from lakehouse.profiles.rebuild import rebuild
from lakehouse.queries import bronze_events, events
from lakehouse.queries.declarations import declarations
from lakehouse.queries.driver import drain
from lakehouse.spark.scratch import scratch_lake
from lakehouse.training import lifetime_value, scores
from lakehouse.training.fairness_correction import correct
from lakehouse.training.score_targets import CHURN, PURCHASE
from lakehouse.training.score_version import ScoresSummary
from tests.benchmarks.machine import machine
from tests.benchmarks.same_answers import of_features, of_scores, of_the_past

SEED = 17
LAPSED_DAYS = 7  # so few that somebody lapses in the hours that are looked at
LEAST_PROFILES = 50  # that the scores are learned from: they need not be good
LAST_DAY = END - timedelta(days=1)
QUARTER = timedelta(minutes=15)
MOST_APART = 1e-9
LEAST_FOUND = 0.9  # share of those asked about; a cookie of several people names one of them


class Clock:
    """What the stream and the service take for the time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="no_skew")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--parts", type=int, default=6)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--corrects", default="")
    options = parser.parse_args(argv)
    config = load()
    config = replace(
        config,
        fairness=replace(config.fairness, corrects=options.corrects),
        scores=replace(config.scores, min_profiles=LEAST_PROFILES),
        next_best_action=replace(config.next_best_action, lapsed_days=LAPSED_DAYS),
    )
    with scratch_lake(config, "no_skew") as lake:
        clock = Clock(LAST_DAY)
        micro_batch, told = replayed(lake, clock, options.events, options.parts)
        told["lapse"] = lapses(lake, micro_batch, clock, options.hours)
        drain(lake, [bronze_events.start])
        kept, champions = micro_batch.features, Champions.now(lake.config)
        rebuilt = rebuild(
            lake, champions, now=clock(), keep_as_of=True, declared=declarations(lake.config), features=kept
        )
        told["features"] = of_features(lake, rebuilt)
        told["scores"] = of_scores(lake, rebuilt, champions, clock)
        told["point_in_time"] = of_the_past(lake, kept, (LAST_DAY - timedelta(days=1)).date())
        for name in ("features", "scores", "point_in_time", "lapse"):
            print(f"{name:<14} {json.dumps(told[name])}", flush=True)
        missed = faults(told)
        print("\n".join(f"MISSED: {one}" for one in missed) or "all is met", flush=True)
        print(json.dumps({"benchmark": "no_skew", **told, "missed": missed, **machine(lake.config)}))
    return int(bool(missed))


def replayed(lake: Lake, clock: Clock, count: int, parts: int) -> tuple[MicroBatch, dict[str, Any]]:
    """History, trainings, and the last day in parts."""
    messages = list(Shop(count, SEED).messages())
    send(lake, [one for one in messages if one.at < LAST_DAY])
    micro_batch = events.new_micro_batch(lake)
    micro_batch.clock = clock
    start = events.start_with(micro_batch)
    drain(lake, [start])
    champions_made(lake)
    before, sent = len(micro_batch.records), 0
    for part in range(1, parts + 1):
        began, clock.now = clock.now, LAST_DAY + timedelta(days=1) * part / parts
        of_part = [one for one in messages if began <= one.at < clock.now]
        send(lake, of_part)
        drain(lake, [start])
        sent += len(of_part)
    batches = len(micro_batch.records) - before
    return micro_batch, {"events": count, "events_of_the_day": sent, "micro_batches_of_the_day": batches}


def send(lake: Lake, messages: list[Message]) -> None:
    produce(messages, lake.config.kafka, lake.config.kafka.events_topic, on_progress=lambda _: None)


def champions_made(lake: Lake) -> None:
    read_of = scores.reader(lake)
    made: dict[str, ScoresSummary | lifetime_value.ValueSummary] = {
        target.score.model: scores.train(lake, target, read_of=read_of) for target in (PURCHASE, CHURN)
    }
    made[CLV.model] = lifetime_value.train(lake)
    for name, summary in made.items():
        if not summary.is_champion:
            aliases.promote(lake.config, name, summary.version, by="no_skew", why="to be compared")
    if lake.config.fairness.corrects:
        print(correct(lake).line(), flush=True)


def lapses(lake: Lake, micro_batch: MicroBatch, clock: Clock, hours: int) -> dict[str, Any]:
    """The clock goes on and nobody comes. Seconds from each lapse until gold said so."""
    days = timedelta(days=lake.config.next_best_action.lapsed_days)
    settle(micro_batch)
    due = {
        profile: at + days
        for profile, (at, action) in actions(lake).items()
        if at is not None and action != "none" and clock.now < at + days <= clock.now + timedelta(hours=hours)
    }
    late: dict[str, float] = {}
    for _ in range(hours * 4):
        clock.now += QUARTER
        began = time.perf_counter()
        settle(micro_batch)
        took = time.perf_counter() - began
        now = actions(lake)
        for profile, at in due.items():
            if profile not in late and now[profile][1] == "win_back":
                late[profile] = (clock.now - at).total_seconds() + took
    return {
        "lapsed": len(due),
        "shown": len(late),
        "latest_seconds": round(max(late.values(), default=0.0), 1),
        "too_early": sum(seconds < 0 for seconds in late.values()),
    }


def settle(micro_batch: MicroBatch) -> None:
    """Until nothing is due, as the running stream does between batches."""
    while True:
        before = micro_batch.records[-1]
        micro_batch.catch_up()
        if micro_batch.records[-1] is before:
            return


def actions(lake: Lake) -> dict[str, tuple[datetime | None, str]]:
    columns = ("profile_id", "last_order_at", "next_best_action")
    rows = DeltaTable(lake.path(GOLD_ACTIVATION)).to_pyarrow_table(columns=list(columns)).to_pylist()
    return {row["profile_id"]: (row["last_order_at"], row["next_best_action"]) for row in rows}


def faults(told: Mapping[str, Any]) -> list[str]:
    """What is not as it must be, in words."""
    found, scored, past, lapse = (told[name] for name in ("features", "scores", "point_in_time", "lapse"))
    distances = {name: value for name, value in scored.items() if name.startswith("apart_from")}
    must = {
        "a feature differs": found["rows"] > 0 and found["differing_from_batch"] == found["differing_from_duckdb"] == 0,
        "a score differs": max(distances.values()) <= MOST_APART,
        "a score is null of everybody": min(scored["not_null"].values()) > 0,
        "the API answers of too few": scored["answers"] + scored["withheld"] >= LEAST_FOUND * scored["asked"] > 0,
        "the past knows the future": past["moved_events"] > 0 and past["changed"] == 0,
        "the probe is not found": past["changed_by_the_probe"] > 0,
        "nobody lapsed, or gold does not say so": 0 < lapse["lapsed"] == lapse["shown"],
        "a lapse shows late": lapse["latest_seconds"] <= QUARTER.total_seconds(),
        "a day of one micro-batch": told["micro_batches_of_the_day"] > 1,
    }
    return [what for what, is_met in must.items() if not is_met]


if __name__ == "__main__":
    run(main)
