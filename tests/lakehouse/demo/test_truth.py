from pathlib import Path

import pytest

from lakehouse.demo.shop import Shop
from lakehouse.demo.truth import OrderTruth, Truth, read_truth, write_truth
from lakehouse.errors import SourceError


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    shop = Shop(3_000, seed=3)
    for _ in shop.messages():
        pass
    write_truth(shop.truth, tmp_path / "truth")
    assert read_truth(tmp_path / "truth") == shop.truth


def test_net_revenue_of_a_person_has_refunds_taken_off() -> None:
    truth = Truth(seed=0)
    truth.orders = {
        "o1": OrderTruth("ann", 0, 1_000, 250),
        "o2": OrderTruth("ann", 0, 500),
        "o3": OrderTruth("bob", 0, 10),
    }
    assert truth.orders_of_people() == {"ann": (2, 1_250), "bob": (1, 10)}


def test_a_missing_truth_is_a_source_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="demo --source shop"):
        read_truth(tmp_path)
