"""One simulated stream of the default size, generated once for the tests of this folder."""

from dataclasses import dataclass

import pytest

from lakehouse.demo.shop import Shop
from lakehouse.demo.truth import Truth
from lakehouse.kafka.message import Message


@dataclass(frozen=True)
class Run:
    messages: list[Message]
    truth: Truth


@pytest.fixture(scope="session")
def full() -> Run:
    """The default 100,000 records."""
    shop = Shop()
    return Run(list(shop.messages()), shop.truth)


@pytest.fixture(scope="session")
def middle() -> Run:
    """20,000 records, for tests that read every message."""
    shop = Shop(20_000)
    return Run(list(shop.messages()), shop.truth)


@pytest.fixture(scope="session")
def small() -> Run:
    """5,000 records of another seed."""
    shop = Shop(5_000, seed=11)
    return Run(list(shop.messages()), shop.truth)
