"""Which sources take webhooks: bound ones that declare it, with the secrets that are set."""

import dataclasses
import logging
from pathlib import Path

import pytest

from lakehouse.config import Config, load
from lakehouse.config.paths import SOURCES
from lakehouse.errors import ConfigError
from serving.state.webhook_doors import webhook_doors

NAMES = ("SHOPIFY_WEBHOOK_SECRET", "SHOPIFY_WEBHOOK_SECRET_NEXT")


def bound(**sources: str) -> Config:
    ours = load("dev", environ={})
    return dataclasses.replace(ours, kafka=dataclasses.replace(ours.kafka, sources=sources))


def test_a_bound_source_that_declares_it_has_a_door_and_its_secrets_are_not_shown() -> None:
    doors = webhook_doors(
        bound(shop="shopify-orders", people="crm"), SOURCES, dict.fromkeys(NAMES, "hush") | {"X": "x"}
    )
    assert set(doors) == {"shopify-orders"}
    door = doors["shopify-orders"]
    assert (door.topic, door.secrets, door.is_closed) == ("shop", (b"hush", b"hush"), False)
    assert "hush" not in repr(door)
    assert webhook_doors(bound(), SOURCES, {}) == {}


def test_of_several_secrets_those_that_are_set_hold_and_none_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "stitchlake.serving")
    shop = bound(shop="shopify-orders")
    assert webhook_doors(shop, SOURCES, {NAMES[1]: "new", NAMES[0]: ""})["shopify-orders"].secrets == (b"new",)
    assert not caplog.messages
    assert webhook_doors(shop, SOURCES, {})["shopify-orders"].is_closed
    assert NAMES[0] in caplog.text


@pytest.mark.parametrize(("name", "value"), [("proxies", 1), ("public_url", "https://events.example.com")])
def test_what_is_not_signed_is_taken_by_no_service_behind_a_proxy(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / "till.yaml").write_text("is_event: true\nwebhook: {is_unsigned: true}\n")
    alone = bound(till="till")
    assert set(webhook_doors(alone, tmp_path, {})) == {"till"}
    behind = dataclasses.replace(alone, serving=dataclasses.replace(alone.serving, **{name: value}))
    with pytest.raises(ConfigError, match=rf"is_unsigned: got serving.{name} beside it"):
        webhook_doors(behind, tmp_path, {})


def test_two_topics_of_one_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kafka.sources: source 'shopify-orders' .*'a' and 'b', expected one"):
        webhook_doors(bound(a="shopify-orders", b="shopify-orders"), SOURCES, {})
    with pytest.raises(ConfigError, match="expected one of none is declared"):
        webhook_doors(bound(a="shopify-orders"), tmp_path, {})
