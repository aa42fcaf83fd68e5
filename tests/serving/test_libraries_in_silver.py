"""A thousand mixed calls of each library of servers, as it is, through the served collector and the events query: each is in silver, once, as it was made.

What a browser sends is in tests/serving/test_senders.py.
"""

import dataclasses
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from lakehouse.config import PROJECT, Config
from lakehouse.kafka import admin
from lakehouse.lake.delta import Lake
from lakehouse.machine import cache_folder
from lakehouse.queries import events as query
from lakehouse.sessions.table import SILVER_SESSIONS
from lakehouse.tables.events import SILVER_EVENT_FAULTS, SILVER_EVENTS, SILVER_EVENTS_QUARANTINE
from tests.rows import add_batch, stream
from tests.serving.served import serving
from tests.serving.topic_values import values

CALLS = 1000
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
SKEW = timedelta(seconds=30)  # of a message's way: its time is corrected by it
NODE = PROJECT / "tests" / "senders"
Call = dict[str, Any]
Send = Callable[[str, list[Call]], None]


def calls(library: str) -> list[Call]:
    """As a library is asked for them, in the words of the Segment spec."""
    return [_call(library, number) for number in range(CALLS)]


def _call(library: str, number: int) -> Call:
    of_type: tuple[Call, ...] = (
        {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"p-{number}", "price": number / 4}},
        {"type": "identify", "traits": {"email": f"{library}-{number}@example.com", "word": "\u03a9\U0001f600"}},
        {"type": "page", "name": "Home", "properties": {"url": f"https://shop.example.com/{number}?q=1"}},
        {"type": "screen", "name": "Basket", "properties": {"number": 2**53 - number}},
        {"type": "group", "groupId": f"household:{number}", "traits": {"size": number}},
        {"type": "alias", "previousId": f"{library}-a-{number}"},
    )
    call = of_type[number % len(of_type)]
    who = {"anonymousId": f"{library}-a-{number}"} if call["type"] == "page" else {"userId": f"{library}-u-{number}"}
    return {**call, **who, "timestamp": (FIRST + timedelta(seconds=number, milliseconds=number)).isoformat()}


def by_python(library: type[SegmentClient] | type[RudderClient]) -> Send:
    def send(address: str, made: list[Call]) -> None:
        errors: list[Exception] = []
        client = library("dev", host=address, max_retries=1, on_error=lambda error, _: errors.append(error))
        for call in made:
            said = {_in_python(name): value for name, value in call.items() if name != "type"}
            getattr(client, call["type"])(**said | {"timestamp": datetime.fromisoformat(call["timestamp"])})
        client.shutdown()
        assert errors == []

    return send


def _in_python(name: str) -> str:
    return {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}.get(
        name, name
    )


def by_node(address: str, made: list[Call]) -> None:
    command = ["node", str(_library_of_node() / "send.cjs"), address]
    subprocess.run(command, input=json.dumps(made), text=True, check=True, timeout=120)


class NotHere(Exception):
    """A library that cannot be asked on this machine: why."""


def _library_of_node() -> Path:
    """A folder with the library in it, of the versions in tests/senders/package-lock.json: fetched once for a machine."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotHere("no node on this machine: @segment/analytics-node is not asked")
    files = [NODE / name for name in ("package.json", "package-lock.json", "send.cjs")]
    version = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = cache_folder() / f"senders-{version}"
    if not (folder / "whole").exists():
        folder.mkdir(exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        fetched = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
        if fetched.returncode:
            raise NotHere(f"npm cannot fetch @segment/analytics-node here: {fetched.stderr[-200:]}")
        (folder / "whole").touch()
    return folder


LIBRARIES: Mapping[str, Send] = {"py": by_python(SegmentClient), "rudder": by_python(RudderClient), "node": by_node}


@dataclasses.dataclass(frozen=True)
class Silver:
    """rows: of silver.events, once the query has read what every library sent. absent: of one that is not here, why."""

    rows: list[Mapping[str, Any]]
    absent: Mapping[str, str]


@pytest.fixture(scope="module")
def silver(
    config_in: Callable[[Path], Config], new_lake: Callable[[str], Lake], tmp_path_factory: pytest.TempPathFactory
) -> Silver:
    config = config_in(tmp_path_factory.mktemp("libraries"))
    kafka = dataclasses.replace(config.kafka, events_topic=f"libraries-{uuid4().hex[:8]}")
    admin.create_topic(kafka, kafka.events_topic, 1)
    absent: dict[str, str] = {}
    with serving(dataclasses.replace(config, kafka=kafka)) as (address, _):
        for library, send in LIBRARIES.items():
            try:
                send(address, calls(library))
            except NotHere as why:
                absent[library] = str(why)
    lake = new_lake("libraries")
    for table in (SILVER_EVENTS, SILVER_EVENT_FAULTS, SILVER_EVENTS_QUARANTINE, SILVER_SESSIONS):
        lake.create(table)
    folder = Path(lake.root).parent / "records"
    add_batch(folder, values(kafka.bootstrap_servers, kafka.events_topic), arrival=datetime.now(UTC))
    to_start = query.writer(lake, stream(lake.spark, folder), lambda *_: None)
    to_start.trigger(availableNow=True).start().awaitTermination()
    assert lake.read(SILVER_EVENTS_QUARANTINE).count() == 0
    return Silver(lake.read(SILVER_EVENTS).toArrow().to_pylist(), absent)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_thousand_mixed_calls_are_in_silver_as_they_were_made(silver: Silver, library: str) -> None:
    if library in silver.absent:
        pytest.skip(silver.absent[library])
    rows = [row for row in silver.rows if str(row["user_id"] or row["anonymous_id"]).startswith(f"{library}-")]
    found = {row["user_id"] or row["anonymous_id"]: row for row in rows}
    assert len(rows) == len(found) == CALLS
    for number, call in enumerate(calls(library)):
        row = found[call.get("userId") or call["anonymousId"]]
        at = datetime.fromisoformat(call["timestamp"])
        assert row["type"] == call["type"]
        assert abs(row["occurred_at"].replace(tzinfo=UTC) - at) < SKEW, number
        assert row["event"] == call.get("event", call.get("name"))
        assert (row["group_id"], row["previous_id"]) == (call.get("groupId"), call.get("previousId"))
        of_type = {each["type"] for each in row["identifiers"]}
        assert ("email" in of_type) == (call["type"] == "identify")
        if call["type"] == "track":
            assert row["product_id"] == call["properties"]["product_id"]
        if "properties" in call and call["type"] in ("track", "screen"):
            assert call["properties"].items() <= json.loads(row["properties"]).items()
        if call["type"] == "page":
            assert row["page_url"] == f"https://shop.example.com/{number}"
    assert len({row["message_id"] for row in rows}) == CALLS
    assert all(row["received_at"] >= row["occurred_at"] for row in rows)
