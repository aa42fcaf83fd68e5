"""The fixture `kafka`: one real broker for the whole test run, on a free port. Imported by conftest.py."""

import dataclasses
from collections.abc import Iterator

import pytest

from lakehouse.config import LakeConfig, load
from lakehouse.kafka import broker, python_messages


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.RunningBroker]:
    """The running broker; topics are the test's own: name them after the test."""
    python_messages.make_safe()  # of tests' own clients; ours have it from lakehouse/kafka/clients.py
    root = str(tmp_path_factory.mktemp("kafka") / "lake")
    config = dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=root, keep_hours=1))
    yield broker.start(config, port=0)
    broker.stop(config)
