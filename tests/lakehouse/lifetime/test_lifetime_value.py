import json

import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.lifetime import lifetime_value
from lakehouse.lifetime.bg_nbd import BgNbd
from lakehouse.lifetime.gamma_gamma import GammaGamma
from lakehouse.lifetime.histories import Histories
from lakehouse.lifetime.lifetime_value import LifetimeValue

ORDERS, VALUE = BgNbd(r=0.243, alpha=30.9, a=0.793, b=2.426), GammaGamma(p=6.0, q=4.0, gamma=15.0)
KNOWN = Histories(
    repeats=np.array([0.0, 3.0]), last=np.array([0.0, 80.0]), age=np.array([90.0, 90.0]), value=np.array([30.0, 30.0])
)


def model(horizon_days: int = 365, yearly_discount: float = 0.0) -> LifetimeValue:
    return LifetimeValue(orders=ORDERS, value=VALUE, horizon_days=horizon_days, yearly_discount=yearly_discount)


def test_without_a_discount_it_is_orders_times_value() -> None:
    assert model().of(KNOWN) == pytest.approx(ORDERS.expected_orders(KNOWN, 365) * 30)


def test_a_discount_takes_what_waiting_costs() -> None:
    near = model(horizon_days=30, yearly_discount=0.1).of(KNOWN) / model(horizon_days=30).of(KNOWN)
    assert near == pytest.approx(np.full(2, 1.1 ** (-15 / 365)), rel=1e-3)  # from the middle of the month, nearly
    assert (model(yearly_discount=0.1).of(KNOWN) < model().of(KNOWN)).all()


def test_twice_as_many_parts_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = model(yearly_discount=0.1).of(KNOWN)
    monkeypatch.setattr(lifetime_value, "PARTS", 2 * lifetime_value.PARTS)
    assert model(yearly_discount=0.1).of(KNOWN) == pytest.approx(before, rel=1e-3)


def test_parameters_survive_json() -> None:
    there = json.loads(json.dumps(model().to_parameters()))
    assert LifetimeValue.from_parameters(there).to_parameters() == model().to_parameters()


def test_a_horizon_of_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="horizon of 0 days"):
        lifetime_value.fit(KNOWN, horizon_days=0, yearly_discount=0.1)
