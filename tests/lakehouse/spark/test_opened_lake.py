"""A lake elsewhere is one of Hadoop's file systems that is not this machine's: here a mount table, which leads to a folder of this machine."""

import dataclasses
import fcntl
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.config import Config, LakeConfig, load
from lakehouse.errors import BusyError, LakeError
from lakehouse.lake import lock
from lakehouse.spark import opened_lake
from lakehouse.spark.opened_lake import opened


@pytest.fixture
def config(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(opened_lake, "get_session", lambda *_: spark)
    return dataclasses.replace(load("dev", environ={}), lake=LakeConfig(root=str(tmp_path / "lake"), keep_hours=1))


@pytest.fixture
def elsewhere(config: Config, tmp_path: Path, spark: SparkSession) -> Config:
    spark.conf.set(f"fs.viewfs.mounttable.{tmp_path.name}.link./lakes", tmp_path.as_uri())
    return dataclasses.replace(config, lake=LakeConfig(root=f"viewfs://{tmp_path.name}/lakes/lake", keep_hours=1))


def with_another_key(config: Config) -> Config:
    return dataclasses.replace(config, privacy=dataclasses.replace(config.privacy, hmac_key_id="another"))


@pytest.mark.parametrize("place", ["config", "elsewhere"])
def test_a_lake_is_stamped_with_its_key_and_refused_with_another(
    place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    config: Config = request.getfixturevalue(place)
    with opened(config, "test") as lake:
        assert lake.config is config
        assert (tmp_path / "lake" / lock.STAMP).is_file()
    with pytest.raises(LakeError, match="another token key"), opened(with_another_key(config), "test"):
        pytest.fail("it was opened")


def test_who_may_not_write_has_started_no_session(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_lake, "get_session", lambda *_: pytest.fail("a session was started"))
    Path(config.lake.root).mkdir()
    with (Path(config.lake.root) / "_lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as another process has it
        with pytest.raises(BusyError), opened(config, "test"):
            pytest.fail("it was opened")
