"""What an event may set off, in one Spark run, against the rules evaluated in Python on the same events."""

import hashlib
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession

from lakehouse.config import load
from lakehouse.events.reader import Reader
from lakehouse.lane.candidate import Candidate
from lakehouse.lane.lane_rules import lane_rules
from lakehouse.lane.projection import candidates
from lakehouse.rules.book import RuleBook, read_rules
from lakehouse.rules.vocabulary import prepared
from tests.rows import ARRIVAL, records, track

CONFIG = load("dev", environ={})
STREAM = {"owner": "crm", "effect": "force", "offer": "x", "events": ["Product Viewed", "Product Added"]}
CONDITIONS = {
    "dear": "price >= 50",
    "mobile_toys": "device = 'mobile' and category = 'toys'",
    "home": "page_type = 'home' or product_id like 'p-1%'",
    "of_the_person_too": "price < 80 and frequency >= 2 and array_contains(viewed_24h, product_id)",
    "of_the_person_only": "frequency >= 2",
    "morning": "hour(occurred_at) = 11",
}
LATER = {"name": "asked_only", "when": "price >= 50", "owner": "crm", "effect": "force", "offer": "x"}


WHOLE = track(
    "Product Viewed",
    messageId="whole",
    anonymousId="ana",
    context={"traits": {"email": "ana@example.com"}},
    properties={"price": "60.5", "product_id": "p-1", "session_id": "s1"},
)


def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(
        yaml.safe_dump({"rules": [STREAM | {"name": n, "when": w} for n, w in CONDITIONS.items()] + [LATER]})
    )
    return path


def messages(count: int) -> list[dict[str, Any]]:
    random_ = random.Random(7)
    found = []
    for n in range(count):
        place = random_.choice([{}, {"price": random_.choice([20, "49.999", 50, 79.99, 120])}])
        place |= random_.choice([{}, {"category": random_.choice(["toys", " toys ", "", "books"])}])
        place |= random_.choice([{}, {"page_type": "home"}, {"product_id": random_.choice(["p-1", "p-10", "p-2"])}])
        line = {"product_id": "p-1", "price": 60, "category": "toys"}
        place |= random_.choice([{}, {}, {"products": [line]}, {"products": [line, line]}])
        device = random_.choice([{}, {"device": {"type": "mobile"}}])
        name = random_.choice(["Product Viewed", "Product Added", "Product Clicked"])
        found.append(track(name, messageId=f"m{n}", properties=place, context=device))
    return found


def event_of(message: dict[str, Any]) -> dict[str, Any]:
    """The event's part of a decision's context, read by hand."""
    properties, lines = message["properties"], message["properties"].get("products", [])
    single = lines[0] if len(lines) == 1 else {}
    price = properties.get("price", single.get("price"))
    category = (properties.get("category") or "").strip() or single.get("category")
    return {
        "event_type": "track",
        "event_name": message["event"],
        "product_id": properties.get("product_id", single.get("product_id")),
        "category": category,
        "price": None if price is None else round(float(price) + 1e-9, 2),
        "page_type": properties.get("page_type"),
        "device": message["context"].get("device", {}).get("type"),
    }


def expected(book: RuleBook, message: dict[str, Any], occurred_at: Any) -> set[str]:
    """Rules that hold for somebody: the person's part is whatever makes it so."""
    event = event_of(message) | {"occurred_at": occurred_at, "now": occurred_at}
    person = {"frequency": 5, "viewed_24h": ["p-1", "p-10", "p-2"]}
    if message["event"] not in STREAM["events"]:
        return set()
    return {rule.name for rule in book.matching(prepared(event | person)) if rule.events}


def test_every_rule_that_may_hold_is_told_and_no_other(spark: SparkSession, tmp_path: Path) -> None:
    path = rules_file(tmp_path)
    book, rules, reader = read_rules(path), lane_rules(path), Reader(CONFIG)
    sent = messages(150)
    old = track("Product Viewed", messageId="old", properties={"price": 60})
    robot = track("Product Viewed", messageId="robot", context={"userAgent": "Googlebot/2.1"}, properties={"price": 60})
    values = [*sent, WHOLE, robot, b"{", track("Product Viewed", messageId=None)]
    rows = records(spark, values).union(records(spark, [old], arrival=ARRIVAL - timedelta(seconds=61)))
    not_before = ARRIVAL - timedelta(seconds=60)
    told = candidates(rows, CONFIG, rules.rules, rules_version=rules.version, not_before=not_before).collect()
    found: dict[str, set[str]] = {message["messageId"]: set() for message in [*sent, WHOLE, robot]}
    read = {message["messageId"]: message for message in [*sent, WHOLE, robot]}
    whole = None
    for row in told:
        candidate = json.loads(row["value"])
        decoded = Candidate.decode(row["value"])
        assert decoded is not None
        assert set(decoded.identifiers) <= set(reader.identifiers(read[decoded.message_id]))
        assert decoded.is_bot(reader) == (decoded.message_id == "robot")
        found[candidate["message_id"]].add(candidate["rule"])
        if (candidate["message_id"], candidate["rule"]) == ("whole", "dear"):
            whole = candidate
            assert b"example.com" not in row["value"]
    certain = set(CONDITIONS) - {"of_the_person_too"}
    for message in sent:
        mine, theirs = found[message["messageId"]], expected(book, message, reader.occurred_at(message, ARRIVAL))
        assert theirs <= mine, message
        assert mine & certain == theirs & certain, message
    assert {"dear", "home", "of_the_person_too", "morning"} <= set().union(*found.values())
    assert whole == {
        **{"decision_id": hashlib.sha256(b"dear\nwhole").hexdigest()[:32], "rule": "dear", "message_id": "whole"},
        "identifiers": [list(one) for one in reader.identifiers(WHOLE) if one[0] != "email"],
        **{"event_type": "track", "event_name": "Product Viewed", "product_id": "p-1", "price": 60.5},
        **{"session_id": "s1", "rules_version": rules.version},
        "kafka_timestamp": int(ARRIVAL.timestamp() * 1000),
        "occurred_at": int(reader.occurred_at(WHOLE, ARRIVAL).timestamp() * 1000),
    }
