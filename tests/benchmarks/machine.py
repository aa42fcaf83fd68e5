"""What every benchmark says of itself: the machine in words, and what it spent of it."""

import os
import platform
from collections import Counter
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
    return sum(cpu_by_program().values())


def cpu_by_program() -> dict[str, float]:
    """The same by the name of the program, as the system knows it: java, python and so on."""
    if not Path("/proc/self/stat").exists():
        return {"": float("nan")}
    parents, spent, names = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition(" (")[2].rpartition(") ")
        except OSError:  # it has just ended
            continue
        process, fields = int(folder.name), rest.split()
        parents[process], spent[process], names[process] = int(fields[1]), sum(map(int, fields[11:15])), name
    ours, found = {os.getpid()}, 0
    while len(ours) > found:
        found = len(ours)
        ours |= {child for child, parent in parents.items() if parent in ours}
    programs: Counter[str] = Counter()
    for process in ours:
        programs[names[process]] += spent[process]
    return {name: ticks / _TICKS for name, ticks in programs.items()}
