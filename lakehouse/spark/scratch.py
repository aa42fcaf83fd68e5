"""A lake of its own, with a broker of its own, for as long as something is measured; both gone afterwards."""

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.config import Config
from lakehouse.kafka import admin, broker
from lakehouse.lake.delta import Lake
from lakehouse.spark.session import get_session


@contextmanager
def scratch_lake(config: Config, name: str) -> Iterator[Lake]:
    """A new lake in a temporary folder, with a broker on a free port and the events topic; else as `config` says."""
    with scratch_config(config, name) as ours:
        yield Lake(get_session(ours, name), ours)


@contextmanager
def scratch_config(config: Config, name: str) -> Iterator[Config]:
    """The same without a session: for what is measured in drivers of their own."""
    folder = tempfile.mkdtemp(prefix=f"stitchlake-{name}-")
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=f"{folder}/lake"))
    running = broker.start(config, port=0)
    try:
        config = broker.at(config, running)
        admin.create_topic(running, config.kafka.events_topic, config.kafka.partitions)
        yield config
    finally:
        broker.stop(config)
        shutil.rmtree(folder, ignore_errors=True)
