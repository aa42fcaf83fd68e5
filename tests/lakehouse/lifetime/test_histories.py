import numpy as np
import pytest

from lakehouse.errors import ModelError
from lakehouse.lifetime.histories import Histories


def one(repeats: float, last: float, age: float, value: float = 9.0) -> Histories:
    return Histories(repeats=np.array([repeats]), last=np.array([last]), age=np.array([age]), value=np.array([value]))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ((1.0, 5.0, 3.0), "an age below last"),
        ((1.0, 1.0, float("nan")), "no finite number"),
        ((1.0, 1.0, 2.0, float("inf")), "no finite number"),
        ((-1.0, 0.0, 2.0), "repeats below 0"),
        ((1.5, 1.0, 2.0), "repeats below 0 or not whole"),
        ((0.0, 1.0, 2.0), "no repeat and last above 0"),
        ((1.0, -1.0, 2.0), "last before the first order"),
    ],
)
def test_a_history_nobody_can_have_is_refused(row: tuple[float, ...], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        one(*row)


def test_columns_of_one_length_are_asked_for() -> None:
    with pytest.raises(ModelError, match=r"different lengths, got \[1, 2\]"):
        Histories(repeats=np.zeros(2), last=np.zeros(1), age=np.ones(1), value=np.ones(1))


def test_two_orders_at_one_instant_are_a_history() -> None:
    assert len(one(1.0, 0.0, 0.0)) == 1
