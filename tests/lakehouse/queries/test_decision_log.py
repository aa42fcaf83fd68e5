"""The decision log through a real broker into silver, once each, and the verdict on an experiment with a planted lift."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kafka import KafkaProducer

from lakehouse.decisions.decision_record import DecisionRecord, decision_message, exposure_messages, outcome_message
from lakehouse.experiments.definitions import Experiment
from lakehouse.experiments.result_rows import LOG, results, told_of
from lakehouse.kafka import admin
from lakehouse.kafka.broker import RunningBroker
from lakehouse.lake.delta import Lake
from lakehouse.queries import decision_log
from lakehouse.tables.decisions import SILVER_DECISION_LOG, SILVER_DECISION_LOG_QUARANTINE

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TRY = Experiment(
    name="try",
    owner="x",
    layer="l",
    buckets=(0, 10_000),
    arms=({"name": "control"}, {"name": "new"}),  # type: ignore[arg-type]
    baseline="control",
    metrics=("converted",),
    guardrails={"unsubscribed": {"margin": 0.01, "better": "lower"}},  # type: ignore[dict-item]
    window_days=7,
)


def remembered(number: int, arm: str) -> DecisionRecord:
    return DecisionRecord(
        decision_id=f"d-{number}",
        kind="offer",
        unit=f"profile-{number}",
        at_ms=int(NOW.timestamp() * 1000),
        action="welcome",
        propensity=0.5,
        is_forced=False,
        policy="thompson",
        policy_version="thompson-0",
        shown_on=None,
        experiments={"try": arm},
    )


def log_of(units: int, rates: dict[str, float], seed: int) -> pd.DataFrame:
    """Exposures and outcomes as the log has them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(units):
        arm = ("control", "new")[number % 2]
        decision = remembered(number, arm)
        messages = exposure_messages(decision, decision.at_ms)
        if rng.random() < rates[arm]:
            messages.append(outcome_message(decision, "converted", 1.0, decision.at_ms + 60_000))
            messages.append(outcome_message(decision, "converted", 1.0, decision.at_ms - 60_000))  # before it was shown
            messages.append(outcome_message(decision, "converted", 1.0, decision.at_ms + 8 * 86_400_000))  # too late
        rows += messages
    frame = pd.DataFrame(rows).reindex(columns=LOG)
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], unit="ms", utc=True)
    return frame


def read_out_of(log: pd.DataFrame, experiments: dict[str, Experiment], *, as_of: datetime) -> list[dict[str, Any]]:
    return results(log, experiments, told_of(log, experiments), as_of=as_of)


def test_a_planted_lift_comes_out_and_only_outcomes_in_the_window_count() -> None:
    rows = read_out_of(log_of(8000, {"control": 0.10, "new": 0.13}, 1), {"try": TRY}, as_of=NOW)
    converted = next(row for row in rows if row["metric"] == "converted")
    assert converted["units"] == converted["baseline_units"] == 4000
    assert converted["baseline_mean"] == pytest.approx(0.10, abs=0.015)
    assert converted["difference"] == pytest.approx(0.03, abs=0.02)
    assert converted["p_sequential"] < 0.05
    guard = next(row for row in rows if row["metric"] == "unsubscribed")
    assert (guard["is_guardrail"], guard["is_harm"]) == (True, False)


def test_uneven_arms_and_units_in_two_arms_block_the_read_out() -> None:
    log = log_of(4000, {"control": 0.1, "new": 0.1}, 2)
    lost = log[~((log["arm"] == "new") & (log["unit"].str.len() % 2 == 0))]
    rows = read_out_of(lost, {"try": TRY}, as_of=NOW)
    assert all(row["is_blocked"] and row["difference"] is None for row in rows)
    twice = log[log["unit"].isin(["profile-2", "profile-4"])].assign(
        arm=lambda frame: frame["arm"].map({"control": "new"})
    )
    rows = read_out_of(pd.concat([log, twice]), {"try": TRY}, as_of=NOW)
    assert {(row["excluded_units"], row["is_blocked"], row["blocked_because"]) for row in rows} == {
        (2, True, "2 were in more than one arm, expected everybody to stay in one")
    }
    assert read_out_of(log, {}, as_of=NOW + timedelta(days=1)) == []


@pytest.mark.slow
def test_each_message_is_in_the_log_once_and_what_cannot_be_read_in_quarantine(
    lake: Lake, kafka: RunningBroker
) -> None:
    topic = "decision-log-test"
    admin.create_topic(kafka, topic, 2)
    lake.config = dataclasses.replace(
        lake.config,
        kafka=dataclasses.replace(lake.config.kafka, bootstrap_servers=kafka.bootstrap_servers),
        decision_log=dataclasses.replace(lake.config.decision_log, topic=topic),
    )
    decision = remembered(1, "new")
    messages = [decision_message(decision, ["welcome"]), *exposure_messages(decision, decision.at_ms)]
    messages.append(outcome_message(decision, "converted", 1.0, decision.at_ms))
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    bad = [b"{nope", b"{}", json.dumps(messages[0] | {"kind": "other"}).encode()]

    def send() -> None:
        for value in [*(json.dumps(message).encode() for message in messages), *bad]:
            producer.send(topic, value)
        producer.flush()

    for _ in range(2):
        send()
        send()
        decision_log.drain(lake)
        stored = lake.read(SILVER_DECISION_LOG).toPandas()
        assert sorted(stored["kind"]) == ["decision", "exposure", "exposure", "outcome"]
        assert stored["propensity"].dropna().tolist() == [0.5]
    reasons = lake.read(SILVER_DECISION_LOG_QUARANTINE).toPandas()["reason"].value_counts().to_dict()
    assert reasons == {"no_json": 4, "missing_field": 4, "unknown_kind": 4}
    producer.close()


def test_an_arm_that_nobody_was_shown_blocks_the_verdict() -> None:
    log = log_of(400, {"control": 0.10, "new": 0.13}, 1)
    of_control = log[log["unit"].isin(log[log["arm"] == "control"]["unit"])]
    (converted, unsubscribed) = read_out_of(of_control, {"try": TRY}, as_of=NOW)
    assert (converted["arm"], converted["units"], converted["baseline_units"]) == ("new", 0, 200)
    assert (converted["is_blocked"], converted["mean"], converted["difference"]) == (True, None, None)
    assert unsubscribed["is_blocked"]


@pytest.mark.parametrize(("rate", "is_harm"), [(0.02, False), (0.06, True), (0.0, False)])
def test_more_who_unsubscribe_is_harm_and_fewer_is_none(rate: float, is_harm: bool) -> None:
    log = log_of(20_000, {"control": 0.02, "new": rate}, 3)
    log.loc[log["metric"] == "converted", "metric"] = "unsubscribed"
    _, guard = read_out_of(log, {"try": TRY}, as_of=NOW)
    assert (guard["metric"], guard["is_harm"]) == ("unsubscribed", is_harm)
