"""Spark's properties files in conf/, read without Spark."""

import re
from pathlib import Path

from lakehouse.config import PROJECT

CONF = PROJECT / "conf"
DEFAULTS = CONF / "spark-defaults.conf"  # on any master
LOCAL = CONF / "spark-local.conf"  # besides, where driver and executors are one process
S3 = CONF / "spark-s3.conf"  # besides, where the lake is there
S3_SCHEME = "s3a://"
PACKAGES = "spark.jars.packages"
JAVA_OPTIONS = "spark.driver.extraJavaOptions"
SHARED_OPTIONS = "spark.driver.defaultJavaOptions"  # put before the others, which a user or a test may set


def properties(path: Path) -> dict[str, str]:
    """One of them, or a user's, as key -> value."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (re.split(r"\s*=\s*|\s+", line, maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {key: "".join(value) for key, *value in pairs}
