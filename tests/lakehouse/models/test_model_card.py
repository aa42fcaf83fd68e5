"""A card says what a model was made of and what the gate found; its page is the same, with nothing in it that is markup."""

from html.parser import HTMLParser

from lakehouse.models.gate import gate
from lakehouse.models.judgement import SELECTED, judge
from lakehouse.models.model_card import Provenance, card, page
from tests.lakehouse.models.test_gate import GOOD, LIMITS, NEWEST, knocks
from tests.lakehouse.models.test_judgement import CUTS, EVERYONE, QUICK, drawn

MADE = Provenance(
    meaning="Chance of <b>an order</b>", versions={"silver.orders": 4}, code_version="abc", feature_schema="f00", seed=7,
    cut_offs=["2026-05-01"], rows=1234, purpose="personalization", importance={"views_7d": 0.25, "frequency": 1.5},
)  # fmt: skip


class Cells(HTMLParser):
    """The texts of a page's cells, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_card_and_its_page_say_the_same() -> None:
    found = judge(drawn(1, signal=1.0), CUTS.splits[:1], EVERYONE, seed=3, settings=QUICK[:1])
    verdict = gate(knocks(GOOD, leaking=("carts_7d",)), None, NEWEST, LIMITS, seed=3)
    told = card("purchase_propensity", found.newest.model, found, verdict, MADE)
    said = (
        "silver.orders at version 4",
        "abc",
        "1,234",
        "It was rejected.",
        SELECTED,
        "carts_7d",
        "personalization",
        "1.500",
    )
    assert all(words in told for words in said)
    cells = Cells()
    cells.feed(page(told, "purchase_propensity 3"))
    shown = "\n".join(cells.texts)
    assert all(words in shown for words in (*said[1:], "Chance of <b>an order</b>"))
    assert "b" not in cells.tags
