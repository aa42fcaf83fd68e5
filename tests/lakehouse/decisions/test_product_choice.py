"""Which products are shown: what rules put first, take out and lift, and what a model proposes for the rest."""

from collections.abc import Iterable

import pytest

from lakehouse.decisions.product_choice import recommend
from lakehouse.decisions.trace import Trace
from lakehouse.recommend.proposal import Proposal
from lakehouse.rules.book import Rule

CATEGORY = {"a": "toys", "b": "toys", "c": "books", "d": "books"}


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
    answer = recommend(propose, rules, trace, count=3, excluded=excluded, category_of=CATEGORY.get)
    assert [item.product_id for item in answer] == products
    assert [step.subject for step in trace.steps if step.step == "model"] == products
