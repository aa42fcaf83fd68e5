"""What Spark writes into a candidate is what whoever decides reads from it, field by field."""

import hashlib
import subprocess
import sys
from dataclasses import asdict, fields

import orjson
import pytest
from pyspark.sql import SparkSession

from lakehouse.config import PROJECT, load
from lakehouse.events.reader import Reader
from lakehouse.lane.candidate import Candidate
from lakehouse.lane.projection import LaneRule, candidates
from lakehouse.rules.parse import parse
from tests.rows import ARRIVAL, records, track

CONFIG = load("dev", environ={})
WHOLE = track(
    "Product Viewed",
    messageId="whole",
    anonymousId="ana",
    channel="web",
    context={
        "traits": {"email": "ana@example.com"},
        "device": {"type": "mobile"},
        "userAgent": "Firefox",
        "library": {"name": "analytics.js"},
    },
    properties={"price": "60.5", "product_id": "p-1", "category": "toys", "page_type": "home", "session_id": "s1"},
)
BARE = track("Product Viewed", messageId="bare", anonymousId="ana", properties={})
TOLD = {
    **{"decision_id": "d", "rule": "r", "message_id": "m", "identifiers": [["anonymous_id", "ana"]]},
    **{"occurred_at": 1, "session_id": "s"},
}


def test_what_spark_encodes_decode_reads_back(spark: SparkSession) -> None:
    rule = LaneRule(name="viewed", events=("Product Viewed",), expression=parse("event_name = 'Product Viewed'"))
    reader = Reader(CONFIG)
    rows = candidates(records(spark, [WHOLE, BARE]), CONFIG, [rule], rules_version="v1", not_before=ARRIVAL).collect()
    read = {candidate.message_id: candidate for row in rows if (candidate := Candidate.decode(row["value"]))}

    def expected(message: dict[str, object], **event: object) -> dict[str, object]:
        nothing = dict.fromkeys(("product_id", "category", "price", "page_type", "device", "session_id"))
        nothing |= dict.fromkeys(("user_agent", "library", "channel"))
        named = tuple(one for one in reader.identifiers(message) if one[0] not in ("email", "phone"))
        message_id = str(message["messageId"])
        return {
            **nothing,
            **{"decision_id": hashlib.sha256(f"viewed\n{message_id}".encode()).hexdigest()[:32], "rule": "viewed"},
            **{"message_id": message_id, "identifiers": named},
            **{"event_type": "track", "event_name": "Product Viewed"},
            "occurred_ms": int(reader.occurred_at(message, ARRIVAL).timestamp() * 1000),
            **{"kafka_ms": int(ARRIVAL.timestamp() * 1000), "rules_version": "v1", **event},
        }

    sender = {"user_agent": "Firefox", "library": "analytics.js", "channel": "web"}
    said = {"product_id": "p-1", "category": "toys", "price": 60.5, "page_type": "home", "device": "mobile"}
    assert asdict(read["whole"]) == expected(WHOLE, **said, **sender, session_id="s1")
    assert None not in asdict(read["whole"]).values()  # so that no field is compared as left out only
    assert asdict(read["bare"]) == expected(BARE)
    assert list(orjson.loads(rows[0]["value"])) == [
        {"occurred_ms": "occurred_at", "kafka_ms": "kafka_timestamp"}.get(field.name, field.name)
        for field in fields(Candidate)
    ]


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"?", b"1", b"[]", b"null", b"{}"),
        *(orjson.dumps({**TOLD, name: None}) for name in TOLD if name != "session_id"),
        orjson.dumps({**TOLD, "occurred_at": "1"}),
        orjson.dumps({**TOLD, "occurred_at": -1}),
        orjson.dumps({**TOLD, "identifiers": [["anonymous_id"]]}),
        orjson.dumps({**TOLD, "rule": 7}),
    ],
)
def test_what_is_no_candidate_is_left_out(value: bytes | None) -> None:
    assert Candidate.decode(value) is None


def test_what_others_write_of_another_type_or_leave_out_is_null() -> None:
    read = Candidate.decode(orjson.dumps({**TOLD, "price": "dear", "product_id": 7, "unknown": 1}))
    assert read is not None
    assert (read.price, read.product_id, read.rules_version, read.kafka_ms) == (None, None, None, None)
    assert list(read.keys()) == ["anonymous_id:ana", "session:s"]


def test_whoever_decodes_needs_no_session() -> None:
    """In a process of its own, for this one may have a session."""
    code = (
        "import sys; from pyspark import SparkContext; from lakehouse.lane.candidate import Candidate;"
        "read = Candidate.decode(sys.stdin.buffer.read());"
        "sys.exit(read is None or SparkContext._active_spark_context is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], input=orjson.dumps(TOLD), cwd=PROJECT).returncode == 0
