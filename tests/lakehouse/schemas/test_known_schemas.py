"""A schema is asked for once, by whichever process: remembered, kept in the lake, and there when no registry is any more."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.config import Config
from lakehouse.errors import ConfigError, RegistryError
from lakehouse.schemas import registry
from lakehouse.schemas.known_schemas import UNKNOWN_SECONDS, KnownSchemas
from lakehouse.schemas.schema import Schema
from tests import schema_registry
from tests.schema_registry import RunningRegistry


@pytest.fixture
def running() -> Iterator[RunningRegistry]:
    with schema_registry.running() as made:
        yield made


def at(config: Config, url: str) -> Config:
    return dataclasses.replace(config, schema_registry=dataclasses.replace(config.schema_registry, url=url))


def test_a_schema_is_asked_for_once_by_all_processes(running: RunningRegistry, config: Config) -> None:
    running.register('"money"', "money")
    number = running.register('"line"', references=(("Money", "money", 1),))
    own = KnownSchemas(at(config, running.url))
    expected = Schema(type="AVRO", text='"line"', references={"Money": '"money"'})
    assert own.of_id(number) == own.of_id(number) == expected
    asked = len(running.asked)
    assert asked == 2
    assert KnownSchemas(at(config, running.url)).of_id(number) == expected  # another process: the lake has it
    assert len(running.asked) == asked


def test_what_was_kept_is_there_when_the_registry_is_not(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 0.0)
    with schema_registry.running() as running:
        number = running.register('"string"', "a/b")
        known = KnownSchemas(at(config, running.url))
        of_id, of_version = known.of_id(number), known.of_version("a/b", 1)
    later = KnownSchemas(at(config, running.url))
    assert (later.of_id(number), later.of_version("a/b", 1)) == (of_id, of_version)
    for ask in (
        lambda: later.of_id(number + 1),
        lambda: later.of_version("a/b", 2),
        lambda: later.of_version("a_b", 1),
    ):
        with pytest.raises(RegistryError):
            ask()


def test_of_a_registry_that_is_gone_for_good_only_what_is_kept_is_known(
    running: RunningRegistry, config: Config
) -> None:
    number = running.register('"string"')
    KnownSchemas(at(config, running.url)).of_id(number)
    gone = dataclasses.replace(at(config, running.url).schema_registry, is_gone=True)
    known = KnownSchemas(dataclasses.replace(config, schema_registry=gone))
    asked = len(running.asked)
    assert known.of_id(number) is not None
    assert known.of_id(number + 1) is known.of_version("a/b", 1) is None
    assert len(running.asked) == asked


def test_an_id_of_another_registry_is_another_schema(running: RunningRegistry, config: Config) -> None:
    number = running.register('"string"')
    assert KnownSchemas(at(config, running.url)).of_id(number) is not None
    with schema_registry.running() as other:
        other.register('"int"')
        assert KnownSchemas(at(config, other.url)).of_id(number) == Schema(type="AVRO", text='"int"')


def test_an_id_that_nobody_knows_is_asked_for_again_after_a_while(running: RunningRegistry, config: Config) -> None:
    now = [0.0]
    known = KnownSchemas(at(config, running.url), clock=lambda: now[0])
    assert [known.of_id(1) for _ in range(100)] == [None] * 100
    assert len(running.asked) == 1
    running.register('"string"')
    assert known.of_id(1) is None
    now[0] += UNKNOWN_SECONDS
    assert known.of_id(1) is not None


def test_without_an_address_only_what_is_kept_is_known(config: Config) -> None:
    with pytest.raises(ConfigError, match=r"schema_registry\.url"):
        KnownSchemas(config).of_id(1)


def test_nobody_reads_half_of_a_schema(running: RunningRegistry, config: Config) -> None:
    number = running.register('"string"')
    KnownSchemas(at(config, running.url)).of_id(number)
    kept = [path.name for path in Path(config.lake.root, "_schemas").rglob("*") if path.is_file()]
    assert kept == [f"id-{number}.json"]  # and nothing half written beside it
