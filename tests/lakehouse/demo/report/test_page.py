import dataclasses
import re
from html.parser import HTMLParser

import pytest

from lakehouse.demo.report.customer_facts import CustomerFacts, ScoreFacts
from lakehouse.demo.report.event_facts import EventFacts, EventName, Rejection
from lakehouse.demo.report.facts import PageFacts
from lakehouse.demo.report.page import CONTENTS, render
from tests.lakehouse.demo.report import some_facts

HOSTILE = '<script>alert("1")</script>&\'"'
VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Follows the tags; knows the ids, what is said, and whether all that was opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.faults: list[str] = []
        self.words: list[str] = []
        self.svgs: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.refers += (found.get("aria-labelledby") or "").split()
        self.refers += [(found.get("href") or "").lstrip("#")] if tag == "a" else []
        self.faults += [f"{tag} {name}" for name in found if name.startswith("on") or name in ("src", "style")]
        if tag == "svg":
            self.svgs.append(found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def hostile_facts() -> PageFacts:
    plain = some_facts.facts()
    segment = dataclasses.replace(plain.customers.segments[0], name=HOSTILE)
    return some_facts.facts(
        root=f"/data/{HOSTILE}",
        run=some_facts.run(source=HOSTILE, phases={HOSTILE: 1.0}, trainings=({"name": HOSTILE, HOSTILE: 1.5},)),
        events=EventFacts(
            names=(EventName(type="track", event=HOSTILE, count=1),),
            rejections=(Rejection(reason=HOSTILE, count=1, example=HOSTILE),),
        ),
        customers=dataclasses.replace(
            plain.customers, segments=(segment,), actions={HOSTILE: 1}, segment_versions=(HOSTILE,)
        ),
        identity=dataclasses.replace(plain.identity, causes={HOSTILE: 1}, changes={HOSTILE: 1}),
    )


PAGES = {
    "full": some_facts.facts(),
    "empty": some_facts.nothing(),
    "hostile": hostile_facts(),
    "no_customer": some_facts.facts(customers=CustomerFacts()),
    "no_segment": some_facts.facts(customers=dataclasses.replace(some_facts.facts().customers, segments=(), cells=())),
    "no_score": some_facts.facts(scores=ScoreFacts()),
}
each_page = pytest.mark.parametrize("facts", PAGES.values(), ids=PAGES.keys())


@each_page
def test_a_page_is_well_formed_and_every_reference_has_its_target(facts: PageFacts) -> None:
    page = Reader(render(facts))
    assert page.open == []
    assert page.faults == []
    assert sorted(page.ids) == sorted(set(page.ids))
    assert set(page.refers) <= set(page.ids)


@each_page
def test_a_page_needs_nothing_but_itself(facts: PageFacts) -> None:
    page = render(facts)
    assert "script" not in Reader(page).tags
    assert not {"link", "img", "iframe", "object", "image", "use"} & Reader(page).tags
    assert re.findall(r"url\(|@import|https?://", page) == []


@each_page
def test_every_section_is_there_and_every_drawing_has_a_title(facts: PageFacts) -> None:
    page = Reader(render(facts))
    assert {name for name, _ in CONTENTS} <= set(page.ids)
    for svg in page.svgs:
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-labelledby"])


def test_what_data_says_is_escaped_everywhere() -> None:
    page = render(hostile_facts())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def test_the_same_facts_give_the_same_bytes() -> None:
    assert render(some_facts.facts()) == render(some_facts.facts())


def test_the_header_tells_what_became_of_the_records() -> None:
    said = Reader(render(some_facts.facts())).said
    assert "13 records became 3 profiles" in said
    assert "every one accounted for" in said


def test_an_empty_lake_says_so_in_every_section() -> None:
    said = Reader(render(some_facts.nothing())).said
    for sentence in (
        "silver.events_quarantine is empty",
        "No actor yet",
        "No profile has an order yet",
        "No profile has a score yet",
        "No micro-batch of the events query was timed",
    ):
        assert sentence in said


def test_where_to_look_next_names_the_tables_of_this_lake_and_five_lines_for_an_own_topic() -> None:
    said = Reader(render(some_facts.facts())).said
    assert 'DeltaTable("/data/lake/gold/activation")' in said
    assert 'pl.scan_delta("/data/lake/gold/rfm")' in said
    assert "STITCHLAKE__KAFKA__EVENTS_TOPIC=your-topic" in said
