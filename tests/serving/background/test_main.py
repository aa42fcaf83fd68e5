"""The background process against a real broker, HTTP server and SMTP server: from an event to what a person gets."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from lakehouse.events.identifiers import resolve
from lakehouse.lake.lock import open_lake
from lakehouse.machine import wait_until
from lakehouse.online.engines import open_store, store_url
from tests.online_people import person, put
from tests.serving.place import Place, running


def know_ana(place: Place) -> None:
    """A profile with an address, in the online store and in the lake."""
    token = resolve("email", "ana@example.com", place.config)
    assert token is not None
    store = open_store(store_url(place.config))
    put(store, person("p-ana", [("anonymous_id", "ana"), ("user_id", "u-ana"), ("email", token)]))
    store.close()
    silver, seen_at = Path(place.config.lake.root) / "silver", datetime.now(UTC)
    trait = {"actor_id": "a", "trait": "email", "value": "ana@example.com", "seen_at": seen_at}
    write_deltalake(silver / "personal_traits", pa.Table.from_pylist([trait]))
    member = {"actor_id": "a", "profile_id": "p-ana", "resolved_at": seen_at}
    write_deltalake(silver / "identity_map", pa.Table.from_pylist([member]))


def test_an_abandoned_cart_becomes_a_call_and_a_letter_once_and_only_where_it_may(place: Place) -> None:
    know_ana(place)
    open_lake(place.config)
    refused = {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
    with running(place):
        place.send("Product Added", "ana", properties={"product_id": "kit <b>"})
        place.send("Product Added", "silent", properties={"product_id": "p2"}, **refused)
        place.send("Product Added", "buyer", properties={"product_id": "p3"})
        place.producer.send(place.config.kafka.events_topic, b"\xff no json").get(10)
        place.send("Order Completed", "buyer", properties={"order_id": "o1"})
        sent_at = time.time()
        assert wait_until(lambda: bool(place.hook.calls and place.mailbox.letters), 60)
        seconds = time.time() - sent_at - 1
    assert seconds < 5  # after it was due
    place.files.rules.write_text("rules: []\n# another text\n")
    with running(place):  # what was done is not done again
        place.send("Product Added", "later", properties={"product_id": "p4"})
        assert wait_until(lambda: "later" in place.names(), 60)
    assert place.names() == ["ana", "later"]
    log = DeltaTable(f"{place.config.lake.root}/ops/audit").to_pyarrow_table().sort_by("number").to_pylist()
    first, second = (json.loads(row["detail"]) for row in log if row["kind"] == "rules")
    assert {name for name in first if first[name] != second[name]} == {"rules"}
    ((to, letter),) = place.mailbox.letters
    assert to == ["ana@example.com"]
    assert b"kit &lt;b&gt;" in letter
    assert b"SHIPFREE" in letter
    assert place.hook.calls[0][1]["profile_id"] == "p-ana"
    assert place.hook.calls[0][1]["offer"]["content"]["code"] == "SHIPFREE"


def test_what_was_queued_while_nobody_ran_is_done_and_what_cannot_be_is_told(place: Place) -> None:
    now = int(time.time() * 1000)
    action = {
        **{"decision_id": "rule1", "destination": "crm", "cause": "rule", "name": "second_view"},
        **{"identifiers": [["anonymous_id", "bo"]], "purpose": "personalization"},
        **{"created_ms": now, "expires_ms": now + 600_000},
    }
    for value in (orjson.dumps(action), orjson.dumps(action), orjson.dumps(action | {"destination": "gone"}), b"?"):
        place.producer.send(place.config.actions.topic, value).get(10)
    with running(place) as background:
        assert wait_until(lambda: bool(place.hook.calls), 60)
        assert wait_until(lambda: orjson.loads(background.status())["destinations"]["crm"]["sent"] == 1, 60)
    assert len(place.hook.calls) == 1
    reasons = [orjson.loads(value)["reason"] for value in place.values(place.config.actions.dead_topic)]
    assert reasons[0] == "no such destination"
    assert reasons[1].startswith("action: no JSON")


def test_the_process_says_ready_ends_at_once_when_told_and_leaves_one_line_of_json(place: Place) -> None:
    config = place.config
    environ = os.environ | {
        "STITCHLAKE__LAKE__ROOT": config.lake.root,
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS": config.kafka.bootstrap_servers,
        "STITCHLAKE__KAFKA__EVENTS_TOPIC": config.kafka.events_topic,
        "STITCHLAKE__ACTIONS__TOPIC": config.actions.topic,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.background"], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    told = json.loads(process.stdout.read())
    process.stdout.close()
    assert told["destinations"] == {"journal": {"sent": 0, "retried": 0, "suppressed": 0, "failed": 0}}
    assert told["faults"] == {}
