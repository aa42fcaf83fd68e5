"""Which products are shown: what rules put first, take out and lift, and what a model proposes for the rest."""

from collections.abc import Iterable

import numpy as np
import pytest

from lakehouse.decisions.product_choice import Asked, personal_list, popular_list, recommend
from lakehouse.decisions.trace import Trace
from lakehouse.recommend.interactions import DAY_MS
from lakehouse.recommend.model import Blend
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import Rule
from tests.lakehouse.recommend.shops import IDS, NOW, by_hand, did

CATEGORY = {"a": "toys", "b": "toys", "c": "books", "d": "books"}


class Shelf(Recommender):
    """Knows the categories of what is proposed here, and nothing else."""

    def __init__(self) -> None:
        super().__init__(by_hand())

    def category_of(self, product_id: str) -> str | None:
        return CATEGORY.get(product_id)


def propose(_: int) -> Iterable[Proposal]:
    return (Proposal(product_id=name, score=1 - number / 10, reason="similar") for number, name in enumerate("abcd"))


def rule(name: str, effect: str, **fields: object) -> Rule:
    return Rule(name=name, owner="crm", when="true", effect=effect, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "excluded", "products"),
    [
        ([], frozenset(), ["a", "b", "c"]),
        ([], frozenset({"a"}), ["b", "c", "d"]),
        ([rule("up", "force", products=("d",))], frozenset(), ["d", "a", "b"]),
        ([rule("up", "force", products=("d",))], frozenset({"d"}), ["a", "b", "c"]),
        ([rule("no", "forbid", products=("a",))], frozenset(), ["b", "c", "d"]),
        ([rule("no", "forbid", category="toys")], frozenset(), ["c", "d"]),
        ([rule("no", "forbid", category="toys"), rule("up", "propose", products=("a",))], frozenset(), ["c", "d"]),
        ([rule("lift", "boost", category="books", weight=2.0)], frozenset(), ["c", "d", "a"]),
    ],
)
def test_the_list_is_what_rules_and_model_leave_each_product_once(
    rules: list[Rule], excluded: frozenset[str], products: list[str]
) -> None:
    trace = Trace(is_wanted=True)
    asked = Asked(count=3, now_ms=NOW, unavailable=excluded)
    answer = recommend(propose, rules, trace, asked=asked, model=Shelf())
    assert [item.product_id for item in answer] == products
    assert [step.subject for step in trace.steps if step.step == "model"] == products


def names(found: list[Proposal]) -> list[str]:
    return [item.product_id for item in found]


def test_a_rule_may_force_what_was_bought_once_it_is_due() -> None:
    days = np.full(8, np.inf, dtype=np.float32)
    days[[IDS.index("mug"), IDS.index("kite")]] = 5.0
    model = Recommender(by_hand(again_after_days=days))
    forced = [rule("up", "force", products=("mug", "kite", "novel"))]
    bought = {"mug": NOW - 6 * DAY_MS, "kite": NOW - 4 * DAY_MS, "novel": NOW - 999 * DAY_MS}
    asked = Asked(count=8, now_ms=NOW, last_bought=bought, viewing="lamp")
    for found in (
        personal_list(model, asked, forced, Trace(is_wanted=False)),
        popular_list(model, asked, forced, Trace(is_wanted=False)),
    ):
        assert names(found)[0] == "mug"
        assert not {"kite", "novel", "lamp"} & set(names(found))
    assert popular_list(None, asked, forced, Trace(is_wanted=False)) == [], "without a model nothing is due"


def test_what_is_in_view_does_not_shorten_the_list() -> None:
    asked = Asked(count=3, now_ms=NOW, viewing="kettle", actions=did("view novel"))
    model = Recommender(by_hand())
    assert names(popular_list(model, asked, (), Trace(is_wanted=False))) == ["toaster", "mug", "novel"]
    assert names(personal_list(model, asked, (), Trace(is_wanted=False)))[:2] == ["toaster", "atlas"]


def test_where_nothing_personal_may_be_shown_nothing_comes_for_having_been_bought() -> None:
    due = {"again_rate": np.full(8, 0.5, dtype=np.float32), "again_after_days": np.ones(8, dtype=np.float32)}
    model = Recommender(by_hand(**due, blend=Blend(again=1.0)))
    asked = Asked(count=8, now_ms=NOW, last_bought={"lamp": 0, "toaster": 0, "kettle": NOW}, actions=did("view novel"))
    assert personal_list(model, asked, (), Trace(is_wanted=False))[0].reason == "buy_again"
    found = popular_list(model, asked, (), Trace(is_wanted=False))
    assert {item.reason for item in found} == {"popular"}
    assert names(found) == [one for one in IDS if one != "kettle"]
