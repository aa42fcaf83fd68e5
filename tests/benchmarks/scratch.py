"""What every benchmark needs: a broker of its own, a lake of its own, and the machine in words."""

import dataclasses
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from lakehouse import broker
from lakehouse.config import Config, load
from lakehouse.io import Lake
from lakehouse.session import get_session


@contextmanager
def scratch_lake(name: str) -> Iterator[Lake]:
    """A new lake in a temporary folder, with a broker on a free port and the events topic; both gone afterwards."""
    folder = tempfile.mkdtemp(prefix=f"stitchlake-{name}-")
    config = load()
    config = dataclasses.replace(config, lake=dataclasses.replace(config.lake, root=f"{folder}/lake"))
    running = broker.start(config, port=0)
    try:
        kafka = dataclasses.replace(config.kafka, bootstrap_servers=running.bootstrap_servers)
        config = dataclasses.replace(config, kafka=kafka)
        broker.create_topic(kafka.bootstrap_servers, kafka.events_topic, kafka.partitions)
        yield Lake(get_session(config, name), config)
    finally:
        broker.stop(config)
        shutil.rmtree(folder, ignore_errors=True)


def machine(config: Config) -> dict[str, object]:
    """Machine, versions and settings a figure depends on."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pyspark": version("pyspark"),
        "delta": version("delta-spark"),
        "kafka_partitions": config.kafka.partitions,
        "max_offsets_per_trigger": config.profiles.max_offsets_per_trigger,
        "state_store": config.spark.state_store,
    }
