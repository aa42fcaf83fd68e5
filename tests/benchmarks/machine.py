"""What every benchmark says of itself: the machine in words, and what it spent of it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from lakehouse.config import Config

_TICKS = os.sysconf("SC_CLK_TCK")


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


def cpu_seconds() -> float:
    """Of this process and all below it, those that have ended among them; nan where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return float("nan")
    parents, spent = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)], spent[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ours, found = {os.getpid()}, 0
    while len(ours) > found:
        found = len(ours)
        ours |= {child for child, parent in parents.items() if parent in ours}
    return sum(spent[process] for process in ours) / _TICKS
