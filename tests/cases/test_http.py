"""http.jsonl: requests as libraries, browsers and shops send them. What a person would lose is the name of each test."""

import base64
import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.config import Config
from lakehouse.events.parse import parse
from lakehouse.kafka import admin
from serving.messages.answer_models import CollectedAnswer, DecisionAnswer
from tests.serving.conftest import Start, filled
from tests.serving.topic_values import values

ORIGIN = "https://shop.example.com"
CASES: Mapping[str, list[dict[str, Any]]] = defaultdict(list)
for line in (Path(__file__).parent / "http.jsonl").read_text(encoding="utf-8").splitlines():
    CASES[json.loads(line)["case"]].append(json.loads(line))


class Served:
    """The application as it is served, and what it has put into Kafka."""

    def __init__(self, api: TestClient, config: Config) -> None:
        self.api = api
        self.config = config

    def answers(self, case: str) -> list[httpx.Response]:
        """Of every request of a case, in their order."""
        return [self.sent(request) for request in CASES[case]]

    def sent(self, request: Mapping[str, Any]) -> httpx.Response:
        body = request.get("body_base64")
        content = base64.b64decode(body) if body else (request["body"] or "").encode()
        return self.api.request(request["method"], request["path"], headers=request["headers"], content=content)

    def texts(self) -> list[str]:
        return [value.decode() for value in values(self.config.kafka.bootstrap_servers, self.config.kafka.events_topic)]

    def messages(self) -> list[dict[str, Any]]:
        """Those of them that are JSON; numbers by their digits."""
        read = [
            json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None) for text in self.texts()
        ]
        return [dict(message) for message in read]

    def ids(self) -> list[str]:
        return [message["messageId"] for message in self.messages()]


@pytest.fixture
def served(serving_config: Config, start: Start) -> Served:
    """On a topic of the test's own."""
    kafka = dataclasses.replace(serving_config.kafka, events_topic=f"http-{uuid4().hex[:8]}")
    config = dataclasses.replace(serving_config, kafka=kafka)
    admin.create_topic(kafka, kafka.events_topic, 1)
    return Served(start(config)[0], config)


def test_what_telephones_and_servers_send_compressed_is_not_lost(served: Served) -> None:
    (answer,) = served.answers("H01-gzip")
    assert (answer.status_code, answer.json()["acknowledged"]) == (200, 1)
    assert len(served.messages()) == 1


def test_a_shops_page_may_send_and_its_browser_is_told_so(served: Served) -> None:
    preflight, sent = served.answers("H02-cors")
    assert preflight.status_code == 204
    for answer in (preflight, sent):
        assert answer.headers["access-control-allow-origin"] in ("*", ORIGIN)
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {"content-type", "authorization"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    assert sent.json() == {"success": True, "acknowledged": 1}
    assert served.ids() == ["h02-1"]


def test_a_refusal_reaches_the_page_too_or_its_browser_would_send_again(served: Served) -> None:
    headers = {"origin": ORIGIN, "content-type": "text/plain"}
    large = served.api.post("/v1/t", headers=headers, content=b"x" * 600_000)
    unknown = served.api.post("/v1/t", headers={**headers, "content-encoding": "br"}, content=b"x")
    no_key = served.api.post("/v1/t", headers=headers, content=b"{}")
    no_json = served.api.post("/v1/t", headers=headers, content=b"{")
    assert [answer.status_code for answer in (large, unknown, no_key, no_json)] == [413, 415, 401, 400]
    for answer in (large, unknown, no_key, no_json):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.json()["detail"] == answer.json()["message"]


def test_one_bad_message_does_not_lose_its_batch(served: Served) -> None:
    without_type, with_too_large = served.answers("H03-one-bad-in-a-batch")
    assert without_type.json() == {"success": True, "acknowledged": 3}
    answer = CollectedAnswer.model_validate(with_too_large.json())
    assert answer.acknowledged == 2
    assert [each.index for each in answer.refused or []] == [1, 2]
    assert "expected at most 32768" in with_too_large.json()["refused"][0]["reason"]
    assert served.ids() == ["h03-1", "h03-2", "h03-3", "h03-4", "h03-6"]


def test_a_number_that_is_none_spoils_its_own_message_only(served: Served) -> None:
    (answer,) = served.answers("H05-nan-in-a-batch")
    assert answer.json() == {"success": True, "acknowledged": 2}
    good, bad = served.texts()
    assert '"h05-1"' in good
    assert bad.endswith('"messageId":"h05-2","properties":{"score":NaN}}')


def test_a_message_sent_again_keeps_the_id_it_is_known_again_by(served: Served) -> None:
    assert [answer.status_code for answer in served.answers("H06-retry")] == [200, 200]
    assert served.ids() == ["h06-1", "h06-1"]
    assert [answer.status_code for answer in served.answers("H07-numeric-messageid")] == [200, 200]
    assert served.ids()[2:] == ["770001", "770001"]
    assert '"messageId":"770001"' in served.texts()[-1]


def test_a_wrong_clock_moves_no_event_whose_time_nobody_told(served: Served) -> None:
    assert [answer.status_code for answer in served.answers("H08-sentat-but-no-timestamp")] == [200, 200]
    for message in served.messages():
        assert not {"timestamp", "originalTimestamp"} & message.keys()
        assert message["sentAt"] != message["receivedAt"]


def test_two_customers_with_long_numbers_stay_two(served: Served) -> None:
    assert [answer.status_code for answer in served.answers("H09-long-numbers")] == [200, 200]
    assert [(message["userId"], message["properties"]["order_id"]) for message in served.messages()] == [
        ("900719925474099312345", "202611270000012345671"),
        ("900719925474099312346", "202611270000012345672"),
    ]
    viewed = '{"event":"Product Viewed","userId":900719925474099312345,"properties":{"product_id":"kit-003"}}'
    served.api.post("/v1/track", content=viewed, auth=("dev", ""))
    recent = [served.api.get(f"/api/profiles/user_id/90071992547409931234{digit}").json()["recent"] for digit in (5, 6)]
    assert [each["viewed_24h"] for each in recent] == [["kit-003"], []]


def test_a_page_that_closes_is_heard(served: Served) -> None:
    (answer,) = served.answers("H10-beacon")
    assert answer.status_code == 200
    assert served.ids() == ["h10-1"]


def test_a_batch_of_holes_is_told_what_is_wrong(served: Served) -> None:
    (answer,) = served.answers("H11-holes")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("batch[0]: event: got nothing, expected one JSON object; batch[1]")
    assert served.texts() == []


def test_a_shop_whose_customers_are_numbers_gets_decisions(served: Served) -> None:
    (answer,) = served.answers("H13-numeric-customer-id")
    assert answer.status_code == 200, answer.text
    DecisionAnswer.model_validate(answer.json())
    by_identifier = {"identifier": {"type": "user_id", "value": 7358220173425}, "request_id": 7}
    as_text = {"identifier": {"type": "user_id", "value": "7358220173425"}, "request_id": "7"}
    ids = [served.api.post("/api/decide", json=body).json()["decision_id"] for body in (by_identifier, as_text)]
    assert ids[0] == ids[1]


def test_who_asked_to_be_left_alone_is_after_a_reboot(served: Served, start: Start, tmp_path: Path) -> None:
    suppressed, decided = CASES["P03-suppression-survives-a-reboot"]
    answer = served.sent(suppressed)
    assert (answer.status_code, answer.json()) == (200, {"is_suppressed": True})
    served.api.__exit__(None, None, None)
    (tmp_path / "online").rename(tmp_path / "before-the-reboot")
    filled(served.config.online_store.url)
    again = Served(start(served.config)[0], served.config)
    assert again.sent(decided).json()["silent_because"] == "suppressed"


def test_what_the_lake_makes_of_it_all(served: Served, spark: SparkSession) -> None:
    """Events at the time of their arrival where they name none, by the ids they were sent with; the rest in quarantine."""
    for case in ("H03-one-bad-in-a-batch", "H05-nan-in-a-batch", "H08-sentat-but-no-timestamp", "H09-long-numbers"):
        served.answers(case)
    records = [
        (served.config.kafka.events_topic, 0, offset, text.encode()) for offset, text in enumerate(served.texts())
    ]
    frame = spark.createDataFrame(records, "topic string, partition int, offset long, value binary")
    judged = parse(frame.withColumns(dict.fromkeys(("timestamp", "arrived_at"), F.current_timestamp())), served.config)
    rows = {row["offset"]: row for row in judged.collect()}
    by_id = {row["message_id"]: row for row in rows.values() if row["reason"] is None}
    assert {"h03-1", "h03-3", "h03-4", "h03-6", "h05-1", "h08-1", "h08-2", "h09-1", "h09-2"} == by_id.keys()
    assert [row["reason"] for row in rows.values() if row["reason"] is not None] == ["missing_field", "malformed_json"]
    assert (by_id["h09-1"]["user_id"], by_id["h09-2"]["user_id"]) == ("900719925474099312345", "900719925474099312346")
    for name in ("h08-1", "h08-2"):
        assert abs(by_id[name]["occurred_at"] - by_id[name]["received_at"]) <= timedelta(0)
