"""The README is short and true: what it shows of tables and configuration is what the code says."""

import re

from lakehouse.catalog import TABLES
from lakehouse.config import load
from lakehouse.demo.sources import open_source
from tests.documents import text

README = text("README.md")
MOST_LINES = 150


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= MOST_LINES


def test_the_tables_it_shows_say_the_grain_of_their_contract() -> None:
    rows = re.findall(r"^\| ((?:bronze|silver|gold)\.\w+) \| (.+) \|$", README, re.MULTILINE)
    assert rows
    assert dict(rows) == {name: TABLES[name].grain.removeprefix("one row per ") for name, _ in rows}


def test_whom_it_looks_up_after_a_demo_is_somebody_of_the_demo() -> None:
    found = re.search(r"whois user_id (\S+)", README)
    assert found is not None
    said = f'"userId":"{found[1]}"'.encode()
    assert any(said in (message.value or b"").replace(b": ", b":") for message in open_source("shop", None).messages)


def test_the_environment_it_shows_loads() -> None:
    shown = dict(re.findall(r"(STITCHLAKE\w*)=(\S+)", README.split("## Your own topic")[1].split("##")[0]))
    config = load(environ=shown)
    assert (config.kafka.events_topic, config.kafka.bootstrap_servers) == (
        "customer-events",
        "broker1:9092,broker2:9092",
    )
    assert (config.lake.root, config.privacy.hmac_key_id) == ("/data/lake", "2026-11")
