"""A lake whose visitors change their ways: what changed is told, what did not is not, and who is to train is asked for."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from lakehouse.lake.delta import Lake
from lakehouse.models.publish import Trained, publish
from lakehouse.models.score_model import BUYERS, LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import CHURN_RISK, CLV, PURCHASE_PROPENSITY
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS
from lakehouse.tables.drift import OPS_DRIFT
from lakehouse.training import drift_watch
from lakehouse.training.drift_watch import CALIBRATION, asked_for, is_asked, keep, look
from tests.lakehouse.models.test_value_model import MODEL
from tests.lakehouse.training.test_scores import DAYS, START, write_tables
from tests.rows import frame

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PEOPLE = 400
CHANGED = DAYS - 25  # the day from which everybody looks three times as often


def write(lake: Lake) -> None:
    random = np.random.default_rng(5)
    days = [(f"a{i:04}", 0, 1, 0) for i in range(PEOPLE)]
    for i in range(PEOPLE):
        for day in range(1, DAYS):
            if random.random() < (0.6 if day >= CHANGED else 0.2):
                days.append((f"a{i:04}", day, 1, 0))
    orders = [(f"o{i}", f"a{i:04}", START + timedelta(days=1, hours=12), Decimal(20)) for i in range(PEOPLE // 2)]
    write_tables(lake, days, orders, [f"a{i:04}" for i in range(PEOPLE)])
    lake.create(GOLD_SEGMENTS)
    rows = [
        {
            "profile_id": f"a{i:04}",
            "segment": "recent browsers" if i >= PEOPLE // 2 else "champions" if i % 2 else "lost",
            "model_version": "1",
            "valid_from": NOW
            - timedelta(days=90 if i < PEOPLE // 2 else 1),  # who has not ordered has a segment since yesterday
        }
        for i in range(PEOPLE)
    ]
    lake.overwrite(frame(lake.spark, GOLD_SEGMENTS, rows), GOLD_SEGMENTS)


def test_what_changed_is_told_and_asked_for_and_the_rest_is_not(lake: Lake) -> None:
    write(lake)
    # Of everybody an even chance of an order, and of who has ordered the certainty of none: nobody orders after the second day.
    even = ScoreModel(version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.0)
    models = {
        CLV: MODEL,
        PURCHASE_PROPENSITY: even,
        CHURN_RISK: dataclasses.replace(even, offset=8.0, among=BUYERS),
    }
    for score, model in models.items():
        told = Trained(name=score.model, parameters=model.to_parameters(), metrics={}, settings={}, snapshot={})
        publish(lake.config, told)
    assert not is_asked(lake, "ml/train_scores.py")
    rows = look(lake, NOW)
    by_subject = {row["subject"]: row for row in rows if row["kind"] != CALIBRATION}
    calibrated = {row["subject"]: row for row in rows if row["kind"] == CALIBRATION}
    purchase, churn = calibrated["purchase_propensity"], calibrated["churn_risk"]
    assert (purchase["is_drifted"], purchase["current_rows"], purchase["calibration_error"]) == (True, PEOPLE, 0.5)
    assert (churn["is_drifted"], churn["current_rows"]) == (False, PEOPLE // 2)
    assert churn["calibration_error"] < 0.001
    assert by_subject["views_7d"]["is_drifted"]
    assert by_subject["views_7d"]["asks_for"] == "ml/train_scores.py"
    assert by_subject["frequency"]["is_drifted"] is False
    assert by_subject["carts_30d"]["p_value"] == 1.0
    assert by_subject["segments"]["is_drifted"] is False
    assert by_subject["segments"]["reference_rows"] == by_subject["segments"]["current_rows"] == PEOPLE // 2
    assert by_subject["clv"]["model_version"] == "1"
    assert by_subject["clv"]["current_rows"] == PEOPLE // 2  # it speaks of who has ordered
    assert "ml/train_scores.py" in asked_for(rows)
    for _ in range(2):  # a look repeated replaces its rows
        keep(lake, rows, NOW)
    assert lake.read(OPS_DRIFT).count() == len(rows)
    assert is_asked(lake, "ml/train_scores.py")
    assert not is_asked(lake, "ml/train_recommender.py")
    assert "views_7d" in drift_watch.told(by_subject["views_7d"])
