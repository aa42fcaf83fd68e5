"""gold.scores: every score there is in a column of its own, with the version that gave it; null where none does."""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lakehouse.config import load
from lakehouse.errors import ConfigError, ContractError
from lakehouse.profiles.declared_scores import SCORES, Score
from lakehouse.profiles.gold.scores import GOLD_SCORES, gold_scores
from lakehouse.profiles.silver.activity_daily import SILVER_ACTIVITY_DAILY
from lakehouse.profiles.silver.orders import SILVER_ORDERS
from lakehouse.profiles.tables import GOLD, gold_of
from tests.accepted import at


@dataclass
class Model:
    version: str
    value: Column


@dataclass
class Champions:
    scores: dict[str, Model] = field(default_factory=dict)


@dataclass
class Corrected(Model):
    corrects: str

    def value_of(self, group: Column) -> Column:
        return F.when(group == "DE", self.value / 2).otherwise(self.value)


def scored(spark: SparkSession, champions: Champions, corrects: str = "") -> list[dict[str, object]]:
    ann = spark.createDataFrame([("cookie", "ann")], "actor_id string, profile_id string")
    day = {"actor_id": "cookie", "activity_date": date(2026, 2, 1), "event_count": 1, "view_count": 3, "cart_count": 0}
    day |= {
        "order_count": 0,
        "revenue": Decimal("0.00"),
        "first_at": at("2026-02-01 10:00"),
        "last_at": at("2026-02-01 11:00"),
    }
    names = [column.name for column in SILVER_ACTIVITY_DAILY.columns]
    activity = spark.createDataFrame([tuple(day.get(name) for name in names)], SILVER_ACTIVITY_DAILY.ddl)
    orders = spark.createDataFrame([], SILVER_ORDERS.ddl)
    profiles = spark.createDataFrame([("ann", at("2026-02-02 00:00"))], "profile_id string, as_of timestamp")
    table = gold_scores(corrects)
    frames = {"silver_identity_map": ann, "silver_activity_daily": activity, "silver_orders": orders}
    frames |= {"gold_contacts": spark.createDataFrame([("ann", "DE")], "profile_id string, country string")}
    rows = table.rows(frames, {"profiles": profiles, "champions": champions})
    return [row.asDict() for row in rows.select(*GOLD_SCORES.given_columns).collect()]


def test_each_score_has_a_version_of_its_own_and_null_where_there_is_no_model(spark: SparkSession) -> None:
    models = {"purchase_propensity": Model("7", F.col("views_7d") / 4), "clv": Model("2", F.lit(12.5))}
    (row,) = scored(spark, Champions(models))
    assert {name: row[name] for name in ("purchase_propensity", "churn_risk", "clv")} == {
        "purchase_propensity": 0.75,
        "churn_risk": None,
        "clv": 12.5,
    }
    assert [row[score.version_column] for score in SCORES] == ["7", None, "2", None]
    assert row["model_version"] == "7"


def test_the_version_is_the_first_scores_that_there_is(spark: SparkSession) -> None:
    (row,) = scored(spark, Champions({"clv": Model("2", F.lit(12.5)), "targeted_offer": Model("9", F.lit("gift"))}))
    assert (row["purchase_propensity"], row["model_version"]) == (None, "2")
    assert (row["targeted_offer"], row["targeted_offer_model_version"]) == ("gift", "9")
    (row,) = scored(spark, Champions({"targeted_offer": Model("9", F.lit("gift"))}))
    assert (row["clv"], row["model_version"]) == (None, "9")


def test_a_score_that_a_job_trains_says_by_what_its_parameters_are_read() -> None:
    with pytest.raises(ContractError, match="Say by what the parameters are read"):
        Score(column="mood", meaning="of the day", model="mood", trained_by="ml/train_mood.py")


def test_only_a_model_whose_shifts_are_by_the_groups_of_the_switch_is_corrected(spark: SparkSession) -> None:
    country = "gold.contacts.country"
    models: dict[str, Model] = {
        "purchase_propensity": Corrected("7", F.lit(0.5), country),
        "churn_risk": Corrected("8", F.lit(0.5), "gold.contacts.language"),
        "clv": Model("2", F.lit(12.5)),
    }
    (on,), (off,) = (scored(spark, Champions(models), corrects) for corrects in (country, ""))
    names = ("purchase_propensity", "churn_risk", "clv", "model_version")
    assert [on[name] for name in names] == [0.25, 0.5, 12.5, "7"]
    assert [off[name] for name in names] == [0.5, 0.5, 12.5, "7"]


def test_with_the_switch_scores_are_made_after_contacts_and_nothing_else_is_another() -> None:
    config = load("dev", environ={})
    assert gold_of(config) is GOLD
    switched_on = replace(config, fairness=replace(config.fairness, corrects="gold.contacts.country"))
    names = [table.name for table in gold_of(switched_on)]
    assert sorted(names) == sorted(table.name for table in GOLD)
    assert names.index("gold.contacts") < names.index("gold.scores") < names.index("gold.activation")
    own = gold_scores("gold.contacts.country")
    assert (own.columns, own.key, own.reads) == (
        GOLD_SCORES.columns,
        GOLD_SCORES.key,
        (*GOLD_SCORES.reads, "gold.contacts"),
    )
    for wrong in ("gold.contacts.shoe_size", "gold.activation.segment", "gold.contacts.profile_id"):
        with pytest.raises(ConfigError, match="expected a column of"):
            gold_scores(wrong)


def test_the_table_waits_for_a_champion() -> None:
    assert not GOLD_SCORES.needs(Champions())  # type: ignore[arg-type]
    assert GOLD_SCORES.needs(Champions({"clv": Model("2", F.lit(1.0))}))  # type: ignore[arg-type]
