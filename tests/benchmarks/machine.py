"""What every benchmark says of itself: the machine in words."""

import os
import platform
from importlib.metadata import version

from lakehouse.config import Config


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
