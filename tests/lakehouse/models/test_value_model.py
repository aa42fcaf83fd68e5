"""clv by hand from what the leaf says; that stream and rebuild agree on it is in test_policy_model.py, beside the other scores of one lake."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from lakehouse.lifetime.bg_nbd import BgNbd
from lakehouse.lifetime.gamma_gamma import GammaGamma
from lakehouse.lifetime.lifetime_value import LifetimeValue
from lakehouse.models.value_model import READ, ValueModel, histories

MODEL = LifetimeValue(
    orders=BgNbd(r=0.243, alpha=30.9, a=0.793, b=2.426),
    value=GammaGamma(p=6.0, q=4.0, gamma=15.0),
    horizon_days=365,
    yearly_discount=0.1,
)


def test_histories_of_what_the_leaf_says() -> None:
    found = histories(np.array([1.0, 3.0]), np.array([9.0, 10.0]), np.array([9.0, 5.0]), np.array([30.0, 90.0]))
    assert (found.repeats.tolist(), found.last.tolist(), found.age.tolist()) == ([0, 2], [0, 20], [9, 25])
    assert found.value.tolist() == [30, 30]


def test_the_column_is_to_the_cent_and_null_of_who_has_not_ordered(spark: SparkSession) -> None:
    """The third has a million orders; the fourth none; the fifth an order worth nothing, and so is told what an order is worth on average."""
    rows = [
        (1.0, 9.0, 9.0, 30.0),
        (3.0, 10.0, 5.0, 90.0),
        (1e6, 1e-4, 1e-4, 3e7),
        (0.0, 4.0, 4.0, 0.0),
        (1.0, 9.0, 9.0, 0.0),
    ]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} double" for name in READ))
    model = ValueModel.from_parameters(MODEL.to_parameters(), "3")
    found = [row[0] for row in frame.select(model.value).collect()]
    once, thrice, often, never, nothing = found
    expected = MODEL.of(histories(*(np.array([row[place] for row in rows[:3]]) for place in range(4))))
    assert [float(one) for one in (once, thrice, often)] == pytest.approx(expected, abs=0.005)
    assert once == round(once, 2)
    assert 0 < once < thrice < often
    assert never is None
    assert nothing == pytest.approx(once)


def test_who_does_nothing_is_worth_less_as_time_passes() -> None:
    silent = [MODEL.of(histories(*(np.array([x]) for x in (3.0, 10.0, days, 90.0))))[0] for days in (1, 60, 200)]
    assert silent[0] > silent[1] > silent[2] > 0
