"""A lake in which one country buys, and is chosen, more often than the other; and an offer that only one of them is given."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from lakehouse.config import FairnessConfig
from lakehouse.errors import ConfigError
from lakehouse.lake.delta import Lake
from lakehouse.lake.lock import open_lake
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import Champions
from lakehouse.models.score_model import LOGISTIC, ScoreModel
from lakehouse.profiles.declared_scores import PURCHASE_PROPENSITY
from lakehouse.profiles.gold.contacts import GOLD_CONTACTS
from lakehouse.tables.audit import OPS_AUDIT
from lakehouse.tables.decisions import SILVER_DECISION_LOG
from lakehouse.tables.fairness import OPS_FAIRNESS
from lakehouse.tables.identity import SILVER_IDENTITY_EDGES
from lakehouse.training.fairness_audit import ALL, ANY_OFFER, audits, group_of, keep, scores, told
from lakehouse.training.fairness_correction import correct
from tests.lakehouse.training.test_scores import DAYS, START, write_tables
from tests.rows import frame

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PEOPLE = 240
COUNTRY = "gold.contacts.country"


def write(lake: Lake) -> None:
    """Every other person lives in DE and orders every fifth day; the others live in FR and order every fiftieth."""
    days, orders = [], []
    for i in range(PEOPLE):
        for day in range(0, DAYS, 50 if i % 2 else 5):
            days.append((f"a{i:04}", day, 1, 1))
            orders.append((f"o{i}-{day}", f"a{i:04}", START + timedelta(days=day, hours=12), Decimal("20.00")))
        days.append((f"a{i:04}", DAYS, 1, 0))
    write_tables(lake, days, orders, [f"a{i:04}" for i in range(PEOPLE)])
    lake.create(SILVER_IDENTITY_EDGES)
    contacts = [
        {"profile_id": f"a{i:04}", "country": "FR" if i % 2 else "DE", "updated_at": NOW} for i in range(PEOPLE - 20)
    ]
    lake.create(GOLD_CONTACTS)
    lake.overwrite(frame(lake.spark, GOLD_CONTACTS, contacts), GOLD_CONTACTS)
    decisions = [
        {
            "log_id": str(i),
            "decision_id": str(i),
            "kind": "decision",
            "unit": f"a{i:04}",
            "action": action,
            "policy_version": "1",
            "occurred_at": NOW,
            "logged_at": NOW,
        }
        for i, action in enumerate("none" if i % 2 else "gift" for i in range(PEOPLE))
    ]
    lake.create(SILVER_DECISION_LOG)
    lake.overwrite(frame(lake.spark, SILVER_DECISION_LOG, decisions), SILVER_DECISION_LOG)
    model = ScoreModel(
        version="", kind=LOGISTIC, horizon_days=30, slope=1.0, offset=0.0, intercept=-3.0, weights={"orders_30d": 2.0}
    )
    publish(
        lake.config,
        Trained(name=PURCHASE_PROPENSITY.model, parameters=model.to_parameters(), metrics={}, settings={}, snapshot={}),
    )


def of_groups(lake: Lake, *groups: str, corrects: str = "") -> Lake:
    settings = FairnessConfig(groups=groups, least_rows=50, corrects=corrects, least_impact=0.8, seed=7)
    return Lake(lake.spark, dataclasses.replace(lake.config, fairness=settings))


def test_who_is_chosen_is_told_by_group_and_a_correction_is_priced(lake: Lake) -> None:
    write(lake)
    rows = list(audits(of_groups(lake, COUNTRY), with_price=True))
    by_place = {(row["subject"], row["group"]): row for row in rows}
    everybody, french = by_place[PURCHASE_PROPENSITY.column, ALL], by_place[PURCHASE_PROPENSITY.column, "FR"]
    assert by_place[PURCHASE_PROPENSITY.column, "DE"]["selection_rate"] == 1
    assert by_place[PURCHASE_PROPENSITY.column, "DE"]["mean_observed"] == 1
    assert french["selection_rate"] == everybody["disparate_impact"] == 1 - everybody["demographic_parity_difference"]
    assert french["row_count"] == 110
    assert by_place[PURCHASE_PROPENSITY.column, "unknown"]["is_compared"] is False
    assert everybody["model_version"] == "1"
    assert everybody["corrected_difference"] < 0.2
    assert everybody["correction_accuracy_change"] < 0
    assert (by_place["gift", ALL]["disparate_impact"], by_place[ANY_OFFER, "DE"]["selection_rate"]) == (0, 1)
    assert by_place["gift", ALL]["correction_accuracy_change"] is None
    for _ in range(2):
        keep(lake, rows, NOW)
    assert lake.read(OPS_FAIRNESS).count() == len(rows)
    assert "FR" in told(french)
    with pytest.raises(ConfigError, match=r"no column 'gold.contacts.shoe_size'"):
        group_of(lake, "gold.contacts.shoe_size")
    with pytest.raises(ConfigError, match="220 values"):
        group_of(lake, "gold.contacts.profile_id")
    assert np.isfinite(french["corrected_threshold"])
    a_champion_is_corrected_once_a_switch_says_by_what(lake)


def a_champion_is_corrected_once_a_switch_says_by_what(lake: Lake) -> None:
    with pytest.raises(ConfigError, match="corrects: empty"):
        correct(of_groups(lake, COUNTRY))
    open_lake(lake.config)  # the lake is one, so that it has a log
    switched_on = of_groups(lake, COUNTRY, corrects=COUNTRY)
    made = correct(switched_on)
    champion = Champions.now(lake.config).scores[PURCHASE_PROPENSITY.column]
    assert isinstance(champion, ScoreModel)
    assert (made.version, made.of, champion.version, champion.corrects) == ("2", "1", "2", COUNTRY)
    chosen = next(scores(switched_on)).selected.groupby(group_of(switched_on, COUNTRY)).mean()
    assert chosen["DE"] == pytest.approx(chosen["FR"], abs=0.05)
    (noted,) = [
        json.loads(row["detail"])
        for row in lake.read(OPS_AUDIT).where("kind = 'promotion'").collect()
        if "corrected" in row["detail"]
    ]
    assert "right choices" in noted["why"]
