"""What vendors really send (vendors.yaml, from their documentation and the tests of their own libraries): orders, money, people and consent are those
that somebody states who knows the vendor, and not our mapping.

A case is a file of a shipped source. It is read as an import reads it, and each of its records again as a message of a topic.
"""

import csv
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from lakehouse.config import load
from lakehouse.config.paths import SOURCES
from lakehouse.events.event_row import EventReader, EventRow
from lakehouse.sources.history import identified
from lakehouse.sources.record import canonical
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source, event_document

_FILE = yaml.safe_load(Path(__file__).with_name("vendors.yaml").read_text("utf-8"))
CASES = _FILE["cases"]
CONFIG = load("dev", environ={})
READER = EventReader(CONFIG)
WRITTEN = datetime(2026, 4, 1, tzinfo=UTC).timestamp()  # what files say of themselves
ARRIVAL = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
_NOW = int(ARRIVAL.timestamp() * 1_000_000)
_SOURCES = {name: Source.named(name, SOURCES, CONFIG) for name in {case["source"] for case in CASES}}


def filled(base: Any, changes: Any) -> Any:
    """The base with the changes in it, object by object; a list or a value takes the place of what was there."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return base | {name: filled(base.get(name), value) for name, value in changes.items()}


def contents(case: dict[str, Any]) -> bytes:
    """The file of a case: its text, or a record a line, each with the changes of the case to the base that it names."""
    if (text := case.get("text")) is not None:
        return str(text).encode()
    base = _FILE["bases"].get(case.get("base"), {})
    sent = case["sent"] if isinstance(case["sent"], list) else [case["sent"]]
    lines = [filled(base, one) for one in sent]
    if (within := case.get("within")) is not None:
        lines = [json.loads(within.replace('"@[]"', json.dumps(lines)).replace('"@"', json.dumps(lines[0])))]
    format_ = _SOURCES[case["source"]].format
    if format_.columns and case.get("as") != "json":
        return "\n".join("\t".join(_cell(line.get(name)) for name in format_.columns) for line in lines).encode()
    if case.get("as", "csv" if format_.group_by else None) == "csv":
        table = io.StringIO()
        writer = csv.DictWriter(table, lines[0])
        writer.writeheader()
        writer.writerows(lines)
        return table.getvalue().encode()
    return b"\n".join(map(orjson.dumps, lines))


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()


def told(row: EventRow) -> dict[str, Any]:
    """What a row says, in the words of a case."""
    if row.verdict is not None:
        return {"rejected": row.verdict}
    consent = row.consent
    return {
        "event": row.event if row.type == "track" else row.type,
        "title": None if row.type == "track" else row.event,
        "at": None
        if row.occurred_at is None
        else datetime.fromtimestamp(row.occurred_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "order": row.order_id,
        "worth": None if row.revenue is None else str(row.revenue),
        "currency": row.currency,
        "who": {type_: value if not value.startswith("dev:") else "hidden" for type_, value in row.identifiers or []},
        "visitor": row.visitor_id,
        "session": row.session_id,
        "marketing": None if consent is None else consent.marketing,
        "analytics": None if consent is None else consent.analytics,
        "coupon": row.coupon,
        "query": row.query,
        "lines": [
            [
                line.product_id,
                f"{line.quantity:f}".rstrip("0").rstrip("."),
                None if line.price is None else f"{line.price:.2f}",
            ]
            for line in row.lines or []
        ],
        "kept": orjson.loads(row.properties or "{}"),
        "basis": row.consent_basis and row.consent_basis.source,
        "context": orjson.loads(row.context or "{}"),
        "traits": row.traits,
        "faults": row.faults,
        "campaign": None if row.traffic is None else [row.traffic.source, row.traffic.medium, row.traffic.campaign],
    }


def rows(case: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """What becomes of each record of the case's file."""
    path.write_bytes(contents(case))
    os.utime(path, (WRITTEN, WRITTEN))
    source = _SOURCES[case["source"]]
    found: list[dict[str, Any]] = []
    for record, record_id, times in identified(records(path, source.format, CONFIG)):
        if times > 1 and source.format.copies == "dropped":
            found.append({"copy": True})
            continue
        mapped = source.mapped(record, record_id)
        if mapped.document is None:
            found.append({"unmapped": mapped.unmapped} if mapped.unmapped else {"skipped": True})
        else:
            found.append(told(READER.read(canonical(mapped.document), _NOW, _NOW)))
    return found


def is_one_message(case: dict[str, Any]) -> bool:
    """Whether its file could come on a topic as it is."""
    sent = contents(case)
    is_json = sent.lstrip().startswith(b"{")
    return b"\n" not in sent and (is_json or bool(_SOURCES[case["source"]].format.columns))


def is_as_stated(found: Any, stated: Any) -> bool:
    """Of an object only what was stated is asked. A text that ends with ... is the beginning of one."""
    if isinstance(stated, dict):
        return isinstance(found, dict) and all(is_as_stated(found.get(name), value) for name, value in stated.items())
    if isinstance(stated, str) and stated.endswith("..."):
        return isinstance(found, str) and found.startswith(stated[:-3])
    return bool(found == stated)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_record_says_what_its_vendor_means(case: dict[str, Any], tmp_path: Path) -> None:
    found = rows(case, tmp_path / "sent")
    stated = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    assert len(found) == len(stated), found
    for one, expected in zip(found, stated, strict=True):
        differing = {
            name: one.get(name)
            for name, value in expected.items()
            if name != "who" and not is_as_stated(one.get(name), value)
        }
        if "who" in expected and one.get("who") != expected["who"]:
            differing["who"] = one.get("who")
        assert not differing, (case.get("why"), one.get("rejected"), one.get("unmapped"))
    for secret in case.get("hidden", ()):
        shown = json.dumps([[one.get("kept"), one.get("context")] for one in found], ensure_ascii=False)
        assert secret not in shown


@pytest.mark.parametrize("case", filter(is_one_message, CASES), ids=lambda case: case["case"])
def test_a_message_of_a_topic_is_read_as_a_file_is(case: dict[str, Any], tmp_path: Path) -> None:
    in_file = rows(case, tmp_path / "sent")
    document = event_document(_SOURCES[case["source"]], contents(case))
    on_topic = told(READER.read(canonical(document), _NOW, _NOW))
    if len(in_file) > 1:
        assert "expected one" in on_topic["rejected"]
    elif "unmapped" in in_file[0] or "skipped" in in_file[0]:
        assert on_topic["rejected"].startswith("unmapped|")
    else:
        assert on_topic == in_file[0]


@pytest.mark.parametrize(
    ("source", "base", "before", "after"),
    [
        (
            "shopify-orders",
            "shopify",
            {},
            {"cancelled_at": "2026-03-29T01:30:05+01:00", "financial_status": "refunded"},
        ),
        (
            "shopify-orders",
            "shopify",
            {},
            {"refunds": [{"transactions": [{"kind": "refund", "status": "success", "amount": "9"}]}]},
        ),
        ("shopify-orders", "shopify", {"financial_status": "refunded"}, {"cancelled_at": "2026-03-29T01:30:05+01:00"}),
        ("woocommerce-orders", "woo", {}, {"refunds": [{"id": 1, "total": "-9.00"}]}),
        ("woocommerce-orders", "woo", {}, {"status": "refunded"}),
    ],
)
def test_of_states_of_one_second_the_last_word_is_the_one_that_is_further_on(
    source: str, base: str, before: Any, after: Any, tmp_path: Path
) -> None:
    """Their message ids are in that order, by which lakehouse/profiles/silver/orders.py goes; whatever else they say."""
    sent = [filled(change, {"note": str(number)}) for number in range(5) for change in (before, after)]
    (tmp_path / "sent").write_bytes(contents({"source": source, "base": base, "sent": sent}))
    found = identified(records(tmp_path / "sent", _SOURCES[source].format, CONFIG))
    ids = [_SOURCES[source].mapped(record, record_id).document["messageId"] for record, record_id, _ in found]
    assert len(set(ids)) == len(sent)
    assert max(ids[0::2]) < min(ids[1::2])
