"""Spark's properties files in conf/, read without Spark."""

from pathlib import Path

from lakehouse.config import PROJECT

CONF = PROJECT / "conf"
DEFAULTS = CONF / "spark-defaults.conf"  # on any master
LOCAL = CONF / "spark-local.conf"  # besides, where driver and executors are one process
PACKAGES = "spark.jars.packages"
JAVA_OPTIONS = "spark.driver.extraJavaOptions"


def properties(path: Path) -> dict[str, str]:
    """One of them as key -> value."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}
