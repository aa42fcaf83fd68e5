"""Fixtures: one Spark session per test process, its state reset for every test; a lake in a temporary folder."""

import dataclasses
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pyspark.sql import SparkSession

from lakehouse.config import Config, LakeConfig, load
from lakehouse.lake.delta import Lake
from lakehouse.lake.few_rows import FewRows
from lakehouse.models import publish
from lakehouse.spark.session import get_session
from tests import longest_first
from tests.local_kafka import kafka
from tests.mariadb_server import mariadb_port
from tests.postgres_server import postgres_port
from tests.redis_server import redis_cluster_url, redis_sentinel_url, redis_url
from tests.side_by_side import SideBySide

__all__ = ["kafka", "mariadb_port", "postgres_port", "redis_cluster_url", "redis_sentinel_url", "redis_url"]

# pyspark takes a main module without a file for a doctest, and ends it: a process of xdist's has none.
vars(sys.modules["__main__"]).setdefault("__file__", __file__)

# The same examples in every run: what fails once fails again. On a crowded machine they are slow, and that is no fault of what is tested.
settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


# Small data, many plans: writing a plan as code, and compiling that, takes a third of all CPU, and is of no use to plans that run once.
_INTERPRETED = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
}
_AS_USED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.shuffle.partitions": "2",
}


_NOT_PLANNED = ("lake", "kafka", "online_store", "decisions", "serving", "gate", "fairness", "segments")
"""Sections that no transform reads: where things are, and by what rules models are made."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SideBySide | None:
    return SideBySide(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: longest_first.place_of(item.nodeid.partition("::")[0]))  # stable: else as collected


@pytest.fixture(scope="session")
def _session(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    scratch = tmp_path_factory.mktemp("spark")
    config = load("dev", environ={})
    session = get_session(
        config,
        "tests",
        {
            "spark.master": "local[2]",
            "spark.sql.warehouse.dir": str(scratch),
            "spark.driver.memory": "2g",
            **_INTERPRETED,
            # For the same reason the JVM's optimising compiler costs more than it saves here.
            "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "
            "-XX:ReservedCodeCacheSize=512m -XX:MetaspaceSize=768m -Xms2g -Xmn1g",
        },
    )
    for form in ("short", "long"):  # else Spark walks the stack for the place of each step of a plan
        session.sparkContext.setLocalProperty(f"callSite.{form}", "tests")
    return session


@pytest.fixture(scope="session", autouse=True)
def _plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lakes of one configuration share their plans over few rows: making those costs more than most tests. Of a lake they hold nothing but a place
    for rows, and of the configuration nothing that _NOT_PLANNED names."""
    plans: dict[tuple[SparkSession, str], FewRows] = {}

    def few_rows(lake: Lake) -> FewRows:
        told = {field.name: getattr(lake.config, field.name) for field in dataclasses.fields(lake.config)}
        told["profiles"] = dataclasses.replace(told["profiles"], trigger_seconds=0, max_offsets_per_trigger=0)
        key = lake.spark, repr({name: section for name, section in told.items() if name not in _NOT_PLANNED})
        if key not in plans:
            plans[key] = FewRows(lake.spark, str(tmp_path_factory.mktemp("plans")))
        return plans[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Lake, "few_rows", property(few_rows))
        yield


@pytest.fixture(scope="session", autouse=True)
def _registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Registries are copies of one that MLflow made: its migrations take longer than most trainings."""
    empty = tmp_path_factory.mktemp("registry") / "mlflow.db"
    build = publish.build_registry

    def copied(database: Path) -> None:
        if not empty.exists():
            build(empty)
        shutil.copy(empty, database)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publish, "build_registry", copied)
        yield


_OWN_PLANS = vars(Lake)["few_rows"]


@pytest.fixture
def own_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lake makes its plans over few rows itself, below its own root, as wherever the product runs."""
    monkeypatch.setattr(Lake, "few_rows", _OWN_PLANS)


@pytest.fixture
def spark(_session: SparkSession) -> Iterator[SparkSession]:
    yield _session
    for query in _session.streams.active:
        query.stop()
    _session.streams.resetTerminated()  # else whoever waits for any query is told of one that failed in another test
    _session.catalog.clearCache()


@pytest.fixture(scope="module")
def compiled(_session: SparkSession) -> Iterator[None]:
    """Plans are compiled, as wherever the product runs: for tests of whole queries."""
    for key, value in _AS_USED.items():
        _session.conf.set(key, value)
    yield
    for key, value in _INTERPRETED.items():
        _session.conf.set(key, value)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The development configuration on a lake of the test's own."""
    return _config(tmp_path)


def _config(folder: Path) -> Config:
    return dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=str(folder / "lake"), keep_hours=1))


@pytest.fixture
def lake(spark: SparkSession, config: Config) -> Lake:
    return Lake(spark, config)


@pytest.fixture(scope="session")
def new_lake(_session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lake]:
    """Lakes for fixtures of a whole module, whose tests only look: each call gives another, in a folder of that name."""
    return lambda name: Lake(_session, _config(tmp_path_factory.mktemp(name)))
