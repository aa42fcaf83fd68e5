"""What was answered is in the mapping: a question whose answer went nowhere would lose money, visitors or a trait without a word."""

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from lakehouse.adoption import declared, report
from lakehouse.adoption.adopt import known, look
from lakehouse.adoption.draft import Draft
from lakehouse.adoption.known_sources import declared_sources
from tests.lakehouse.adoption.test_adopt import CONFIG, NOW, proposed

EVENTS = [
    f"{'view' if n % 3 else 'purchase'},2026-01-{1 + n % 28:02}T10:00:00Z,u{n % 7},v{n % 9},w{n % 9},{n + 10}.50,{n + 11}.50"
    for n in range(60)
]
EVENT_COLUMNS = "event,timestamp,user_id,visitor_id,anonymous_id,revenue,total"


def drafted(folder: Path, header: str, rows: list[str], answers: Mapping[str, str] = {}) -> Draft:
    path = folder / "file.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return proposed(path, answers)[1]


@pytest.mark.parametrize(
    ("id_", "answer", "section", "place"),
    [("revenue", "total", "properties", "revenue"), ("visitor", "visitor_id", "identifiers", "anonymous_id")],
)
def test_an_answered_question_of_events_fills_its_place(
    tmp_path: Path, id_: str, answer: str, section: str, place: str
) -> None:
    asked = drafted(tmp_path, EVENT_COLUMNS, EVENTS)
    assert id_ in {question.id for question in asked.questions}
    assert place not in asked.sections.get(section, {})
    told = drafted(tmp_path, EVENT_COLUMNS, EVENTS, {id_: answer})
    name = told.sections[section][place]
    assert told.fields[name].column.name == answer


def test_rows_are_not_put_together_by_a_number_inside_an_object(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    rows = [
        {"order": {"id": f"o-{n // 2}"}, "order_date": f"2026-01-{1 + n // 2 % 28:02}T10:00:00Z", "email": f"p{n // 2}@example.com",
         "sku": f"s-{n}", "quantity": 1 + n % 3, "unit_price": 2.5 + n}
        for n in range(60)
    ]  # fmt: skip
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    draft = proposed(path, {"order": "order id"})[1]
    assert not draft.is_ready
    assert draft.refused is not None


def test_a_source_whose_column_has_a_dot_in_its_name_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = [f"o-{n},2026-01-{1 + n % 28:02}T10:00:00Z,p{n}@example.com,{n + 1}.50,EUR" for n in range(40)]
    path.write_text("\n".join(["Order.ID,order_date,email,total,currency", *rows]) + "\n")
    looked, draft = proposed(path, {"order": "Order.ID"})
    assert draft.is_ready, (draft.refused, draft.questions)
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "shop.yaml").write_text(declared.text(draft, looked.layout.declared, ["orders.csv"]))
    (again,) = look([path], {}, CONFIG)
    found = known(again, declared_sources(folder, CONFIG), NOW)
    assert found is not None
    assert found.source.name == "shop"


@pytest.mark.parametrize(("totals", "sum_"), [(["1,234.00", "10.50"], "1244.50"), (["12.50", "soon"], None)])
def test_the_sum_that_is_told_is_of_what_the_source_reads(tmp_path: Path, totals: list[str], sum_: str | None) -> None:
    rows = [f'o-{n},2026-01-{1 + n % 28:02}T10:00:00Z,p{n}@example.com,"{totals[n % 2]}",EUR' for n in range(2)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["order_id,order_date,email,total,currency", *rows]) + "\n")
    looked, draft = proposed(path)
    found = report.money(looked, draft)
    assert (None if found is None else f"{found:.2f}") == sum_
