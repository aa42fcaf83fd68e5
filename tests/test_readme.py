"""The README tells the truth: its table list is the contracts', its files exist, its configuration keys are known."""

import re

import pytest

from lakehouse.catalog import TABLES
from lakehouse.config import PROJECT, load
from lakehouse.tables.lineage import markdown

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_table_list_is_what_the_contracts_say() -> None:
    written = README.split("markdown(), held to it by tests/test_readme.py -->\n")[1].split("\n<!-- /tables -->")[0]
    assert written.strip() == markdown(TABLES).strip()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\b(?:batch|ml|streaming|lakehouse|conf)/[\w./]+\.\w+", README)))
)
def test_every_file_it_names_exists(path: str) -> None:
    assert (PROJECT / path).is_file()


def test_the_environment_it_shows_loads() -> None:
    shown = dict(re.findall(r"(STITCHLAKE\w*)=(\S+)", README.split("## Your own topic")[1].split("##")[0]))
    config = load(environ=shown | {"KAFKA_BOOTSTRAP_SERVERS": "broker1:9092"})
    assert config.kafka.events_topic == "customer-events"
