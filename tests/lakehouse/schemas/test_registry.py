"""What a registry says, and what is no answer of one. By a server of its protocol."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.config import SchemaRegistryConfig, load
from lakehouse.errors import ConfigError, RegistryError
from lakehouse.schemas import registry
from lakehouse.schemas.registry import Registry
from lakehouse.schemas.schema import Schema
from tests import schema_registry, secured_kafka
from tests.schema_registry import RunningRegistry, basic

NOWHERE = load("dev", environ={}).schema_registry
PASSWORD = "s3cret:/ä"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningRegistry]:
    monkeypatch.setattr(registry, "FIRST_PAUSE_SECONDS", 0.0)
    with schema_registry.running() as made:
        yield made


def config(url: str, **more: Any) -> SchemaRegistryConfig:
    return dataclasses.replace(NOWHERE, url=url, **more)


def test_it_gives_what_was_registered_by_id_and_by_version(running: RunningRegistry) -> None:
    first, second = running.register('"string"', "a/b"), running.register('{"type":"object"}', "a/b", type_="JSON")
    asked = Registry(config(running.url))
    assert asked.of_id(first) == Schema(type="AVRO", text='"string"')
    assert asked.of_id(second) == asked.of_version("a/b", 2) == Schema(type="JSON", text='{"type":"object"}')
    assert asked.of_id(17) is asked.of_version("a/b", 3) is asked.of_version("c", 1) is None


def test_an_address_may_have_a_path(running: RunningRegistry) -> None:
    number = running.register('"string"')
    assert Registry(config(f"{running.url}/api/")).of_id(number) is not None
    assert running.asked == [f"/api/schemas/ids/{number}"]


def test_references_come_with_it_each_behind_those_it_needs(running: RunningRegistry) -> None:
    running.register('"money"', "money")
    running.register('"line"', "line", references=(("Money", "money", 1),))
    order = running.register('"order"', "order", references=(("Line", "line", 1), ("Money", "money", 1)))
    found = Registry(config(running.url)).of_id(order)
    assert found is not None
    assert list(found.references.items()) == [("Money", '"money"'), ("Line", '"line"')]
    lost = running.register('"order"', "order", references=(("Line", "line", 9),))
    with pytest.raises(RegistryError, match="reference to line 9, which is not there"):
        Registry(config(running.url)).of_id(lost)


@pytest.mark.parametrize(
    ("status", "page", "got"),
    [
        (401, None, "status 401"),
        (403, None, "status 403"),
        (503, None, "status 503"),
        (None, (404, "<html>not here</html>"), "status 404"),
        (None, (404, '"no"'), "status 404"),
        (None, (200, "<html>hello</html>"), "status 200"),
        (None, (200, '{"schema": 5}'), "status 200"),
    ],
)
def test_what_is_no_answer_is_an_error_that_may_pass(
    running: RunningRegistry, status: int | None, page: tuple[int, str] | None, got: str
) -> None:
    number = running.register('"string"')
    running.status, running.page = status, page
    with pytest.raises(
        RegistryError, match=rf"^schema_registry.url: http://127.* schemas/ids/{number}, got {got}, exp"
    ) as told:
        Registry(config(running.url)).of_id(number)
    assert told.value.may_pass
    assert "\n" not in str(told.value)


def test_a_fault_that_passes_at_once_is_no_fault(running: RunningRegistry) -> None:
    number = running.register('"string"')
    running.failures = 2
    assert Registry(config(running.url)).of_id(number) is not None
    assert len(running.asked) == 3


def test_a_registry_that_is_not_there_or_is_silent(running: RunningRegistry) -> None:
    with pytest.raises(RegistryError, match="got ConnectionError"):
        Registry(config("http://127.0.0.1:1")).of_id(1)
    running.pause = 0.2
    with pytest.raises(RegistryError, match=r"got (ReadTimeout|ConnectionError)"):
        Registry(config(running.url, timeout_seconds=0.05)).of_id(1)


def test_an_address_that_nobody_set_is_for_a_person_to_mend() -> None:
    with pytest.raises(ConfigError, match=r"schema_registry.url: got nothing, .*Set STITCHLAKE__SCHEMA_REGISTRY__URL"):
        Registry(NOWHERE).of_id(1)


def test_it_says_who_asks_and_tells_nobody_the_password(running: RunningRegistry) -> None:
    number = running.register('"string"')
    running.authorization = basic("shop", PASSWORD)
    asks = config(running.url, username="shop", password=PASSWORD)
    assert Registry(asks).of_id(number) is not None
    assert PASSWORD not in repr(asks)
    with pytest.raises(RegistryError) as told:
        Registry(config(running.url, username="shop", password="other")).of_id(number)
    assert "other" not in str(told.value)
    running.authorization = "Bearer t0ken"
    assert Registry(config(running.url, token="t0ken")).of_id(number) is not None


def test_it_is_asked_by_tls_of_its_own_authority(tmp_path: Path) -> None:
    secured_kafka.authority(tmp_path)
    with schema_registry.running(tmp_path / "server.pem") as running:
        number = running.register('"string"')
        trusted = config(running.url, ca_location=str(tmp_path / "ca.pem"))
        assert Registry(trusted).of_id(number) is not None
        for other in ("", str(tmp_path / "other_ca.pem"), str(tmp_path / "none.pem")):
            with pytest.raises(RegistryError, match=r"got (SSLError|OSError)"):
                Registry(dataclasses.replace(trusted, ca_location=other)).of_id(number)
