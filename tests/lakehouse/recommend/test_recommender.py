"""What is proposed, to whom, and why."""

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config import PROJECT
from lakehouse.recommend.interactions import DAY_MS, Interaction
from lakehouse.recommend.model import POPULARITY, Blend
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from tests.lakehouse.recommend.shops import CATEGORIES, IDS, NOW, by_hand, did


def proposed(recommender: Recommender, *steps: str, **asked: object) -> list[tuple[str, str]]:
    found = recommender.propose(did(*steps), **{"now_ms": NOW, "count": 3} | asked)
    return [(one.product_id, one.reason) for one in found]


@pytest.fixture
def recommender() -> Recommender:
    return Recommender(by_hand())


def test_nobody_known_gets_what_is_popular(recommender: Recommender) -> None:
    assert proposed(recommender) == [("kettle", "popular"), ("toaster", "popular"), ("mug", "popular")]


def test_a_view_changes_the_next_proposals(recommender: Recommender) -> None:
    assert proposed(recommender, viewing="kettle")[:2] == [
        ("toaster", "similar_to_viewed"),
        ("mug", "similar_to_viewed"),
    ]
    assert proposed(recommender, "view novel")[0] == ("atlas", "similar_to_viewed")
    (first, *_) = recommender.propose(did("view novel"), now_ms=NOW, explain=True)
    assert (first.because, first.score) == ("novel", 1.0)
    assert recommender.propose(did("view novel"), now_ms=NOW)[0].because is None


def test_a_purchase_removes_the_product(recommender: Recommender) -> None:
    assert proposed(recommender, "view kettle")[0] == ("toaster", "similar_to_viewed")
    assert "toaster" not in dict(proposed(recommender, "view kettle", last_bought={"toaster": 0}, count=8))
    assert "kettle" not in dict(proposed(recommender, "order kettle", count=8))


def consumed(**other: object) -> Recommender:
    """A shop whose kettles are bought again after ten days, its mugs after twenty and less often."""
    rate, after = np.zeros(8, dtype=np.float32), np.full(8, np.inf, dtype=np.float32)
    rate[[0, 2]], after[[0, 2]] = (0.6, 0.3), (10.0, 20.0)
    return Recommender(by_hand(again_rate=rate, again_after_days=after, **{"blend": Blend(mix=1.0, again=0.5)} | other))


def test_what_is_consumed_comes_back_when_it_is_due_and_not_before() -> None:
    last_bought = {"kettle": NOW - 12 * DAY_MS, "mug": NOW - 12 * DAY_MS, "novel": NOW - 900 * DAY_MS}
    asked = {"last_bought": last_bought, "count": 8}
    soon = proposed(consumed(), **asked)
    assert soon[1] == ("kettle", "buy_again")
    assert not {"mug", "novel"} & dict(soon).keys()
    later = proposed(consumed(), **asked, now_ms=NOW + 8 * DAY_MS)
    assert [later[1], later[3]] == [("kettle", "buy_again"), ("mug", "buy_again")]
    ordered = {"mug": NOW - 40 * DAY_MS}
    assert "mug" not in dict(proposed(consumed(), "order mug", last_bought=ordered, count=8)), "ordered again just now"
    assert "kettle" not in dict(proposed(consumed(), **asked, unavailable={"kettle"}))
    assert "kettle" not in dict(proposed(consumed(), "cart kettle", **asked))


def test_a_refused_model_has_no_places_for_what_is_due_but_lets_it_come_back() -> None:
    found = proposed(consumed(kind=POPULARITY), last_bought={"kettle": NOW - 12 * DAY_MS, "mug": NOW}, count=8)
    assert ("kettle", "popular") in found
    assert "mug" not in dict(found)


@pytest.mark.parametrize(("share", "places"), [(0.0, []), (0.25, [3, 7]), (0.5, [1, 3, 5, 7]), (1.0, list(range(8)))])
def test_a_share_of_the_places_is_for_what_is_due(share: float, places: list[int]) -> None:
    every = {"again_rate": np.linspace(0.1, 0.8, 8, dtype=np.float32), "again_after_days": np.ones(8, dtype=np.float32)}
    recommender = Recommender(by_hand(**every, blend=Blend(again=share)))
    found = proposed(recommender, last_bought=dict.fromkeys(IDS, 0), count=8)
    assert [place for place, (_, reason) in enumerate(found) if reason == "buy_again"] == places


def test_what_cannot_be_had_is_out_though_the_set_changes(recommender: Recommender) -> None:
    for out in ({"toaster"}, {"mug"}, frozenset({"toaster"}), frozenset({"mug"}), frozenset({"toaster"})):
        found = dict(proposed(recommender, "view kettle", unavailable=out, count=8))
        assert {"toaster", "mug"} - found.keys() == set(out)
    gone = Recommender(by_hand(is_available=np.array([one != "toaster" for one in IDS])))
    assert "toaster" not in dict(proposed(gone, "view kettle", count=8))


def test_what_was_seen_comes_last_and_what_is_viewed_or_in_the_cart_not_at_all(recommender: Recommender) -> None:
    found = [name for name, _ in proposed(recommender, "view mug", "cart kite", viewing="kettle", count=8)]
    assert found[-1] == "mug"
    assert set(found) == set(IDS) - {"kettle", "kite"}


def test_the_cart_is_complemented_from_another_category(recommender: Recommender) -> None:
    found = recommender.propose(did("cart kettle"), now_ms=NOW, count=3)
    assert found[1] == Proposal("novel", 0.6, "goes_with_cart", "kettle")
    assert ("novel", "goes_with_cart") not in proposed(recommender, "cart kettle", "remove kettle", count=8)
    assert ("novel", "goes_with_cart") not in proposed(recommender, "cart kettle", "order kettle", count=8)
    assert proposed(recommender, "cart kettle", "cart novel")[1] == ("kite", "goes_with_cart")


def test_factors_speak_where_similarity_does_not() -> None:
    factors = np.zeros((8, 2), dtype=np.float32)
    factors[[3, 5]] = (1.0, 0.0)  # novel and kite
    factors[6] = (0.5, 0.0)
    both = Recommender(by_hand(factors=factors, blend=Blend(mix=0.0)))
    assert proposed(both, "view novel")[:2] == [("kite", "for_you"), ("train", "for_you")]
    blended = Recommender(by_hand(factors=factors, blend=Blend(mix=0.4)))
    assert proposed(blended, "view novel")[:2] == [("kite", "for_you"), ("atlas", "similar_to_viewed")]


def test_the_newest_look_speaks_loudest() -> None:
    recommender = Recommender(by_hand(blend=Blend(mix=1.0, fade=0.5)))
    assert proposed(recommender, "view kettle", "view novel")[0][0] == "atlas"
    assert proposed(recommender, "view novel", "view kettle")[0][0] == "toaster"
    old = did("view kettle", at_ms=NOW - 200 * 86_400_000)
    found = Recommender(by_hand()).propose([*did("view novel"), *old], now_ms=NOW, count=2)
    assert [one.product_id for one in found] == ["atlas", "toaster"]


def test_cold_starts_use_what_is_at_hand(recommender: Recommender) -> None:
    assert proposed(recommender, viewing="kite")[0] == ("train", "popular")  # nothing is known to be like a kite
    assert proposed(recommender, category="books")[:2] == [("novel", "popular"), ("atlas", "popular")]
    assert proposed(recommender, segment="champions")[0] == ("train", "popular")
    assert proposed(recommender, category="no such", segment="no such") == proposed(recommender)


def test_a_new_product_has_the_last_place_and_the_turn_passes_on() -> None:
    new = [IDS.index(one) for one in ("train", "atlas")]
    recommender = Recommender(by_hand(new=np.array(new, dtype=np.int32)))
    of_hour = [proposed(recommender, "view mug", count=4, now_ms=NOW + hour * 3_600_000)[-1] for hour in range(4)]
    assert sorted(set(of_hour)) == [("atlas", "new_arrival"), ("train", "new_arrival")]
    assert of_hour[:2] == of_hour[2:]
    assert proposed(recommender, "view mug", category="toys", count=4)[-1] == (
        "atlas",
        "new_arrival",
    )  # the train came before
    assert proposed(recommender, "view kettle", category="toys", count=4)[-1] == ("train", "new_arrival")
    assert proposed(recommender, "view mug", count=3)[-1][1] == "popular"


def test_where_the_model_was_refused_popularity_serves_and_still_follows_the_page() -> None:
    refused = Recommender(by_hand(kind=POPULARITY))
    found = proposed(refused, "cart kettle", viewing="novel", count=8)
    assert found[0] == ("atlas", "popular")
    assert {reason for _, reason in found} == {"popular"}


@given(
    st.lists(
        st.builds(Interaction, st.sampled_from(IDS), st.sampled_from(["view", "order"]), st.integers(0, NOW)),
        max_size=30,
    ),
    st.sampled_from([None, *CATEGORIES]),
)
def test_a_refused_model_serves_the_list_that_it_was_not_better_than(
    history: list[Interaction], category: str | None
) -> None:
    new = np.array([7, 2], dtype=np.int32)
    refused = consumed(kind=POPULARITY, new=new)
    bought: dict[str, int] = {}
    for one in history:
        if one.kind == "order":
            bought[one.product_id] = max(one.at_ms, bought.get(one.product_id, 0))
    asked: dict[str, Any] = {"now_ms": NOW, "last_bought": bought, "category": category, "count": 5}
    served = refused.propose(history, segment="champions", **asked)
    assert served == refused.propose([], is_personal=False, **asked)


def test_unknown_products_and_kinds_are_no_fault(recommender: Recommender) -> None:
    strange = [
        Interaction("no such", "view", NOW),
        Interaction("", "", -1),
        Interaction("kettle", "stared at", NOW + 10**15),
    ]
    known = recommender.propose([Interaction("kettle", "view", NOW)], now_ms=NOW)
    assert recommender.propose(strange, now_ms=NOW, viewing="\ud800", last_bought={"x": 0}, unavailable={"y"}) == known


def test_categories_are_told(recommender: Recommender) -> None:
    assert [recommender.category_of(one) for one in ("novel", "lamp", "no such")] == ["books", None, None]


KINDS = st.sampled_from(["view", "cart", "remove", "order"])
HISTORIES = st.lists(st.builds(Interaction, st.sampled_from([*IDS, "x"]), KINDS, st.integers(0, 2 * NOW)), max_size=70)
SETS = st.frozensets(st.sampled_from([*IDS, "x"]))


@settings(max_examples=150, deadline=None)
@given(
    HISTORIES, SETS, SETS, st.sampled_from([None, "x", *IDS]), st.integers(-1, 20), st.sampled_from([None, *CATEGORIES])
)
def test_a_list_is_full_of_different_allowed_products_whatever_is_asked(
    history, bought, out, viewing, count, category
) -> None:
    new = np.array([7, 2], dtype=np.int32)
    factors = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    recommender = Recommender(by_hand(new=new, factors=factors, blend=Blend(mix=0.5, fade=0.8)))
    asked = {
        "now_ms": NOW,
        "viewing": viewing,
        "last_bought": dict.fromkeys(bought, 0),
        "unavailable": out,
        "count": count,
        "category": category,
    }
    found = recommender.propose(history, **asked)
    assert found == recommender.propose(list(reversed(history)), **asked) or len({one.at_ms for one in history}) < len(
        history
    )
    names = [one.product_id for one in found]
    newest = sorted(history, key=lambda one: one.at_ms)[-50:]
    latest = {one.product_id: one.kind for one in newest if one.kind != "view" and one.product_id != "x"}
    never = bought | out | {viewing} | {one for one, kind in latest.items() if kind == "order"}
    assert len(set(names)) == len(names)
    assert not set(names) & never
    assert all(0 <= one.score <= 1 for one in found)
    if len({one.at_ms for one in history}) == len(history):
        carts = {one for one, kind in latest.items() if kind == "cart"}
        ordered = {one.product_id for one in newest if one.kind == "order"}
        assert len(found) == min(max(count, 0), len(set(IDS) - never - carts - ordered))


def test_it_starts_without_spark_or_any_learning_framework() -> None:
    code = "import sys, lakehouse.recommend.recommender; print(sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    ).stdout
    assert "numpy" in loaded
    for heavy in ("pyspark", "mlflow", "sklearn", "scipy", "pandas", "pyarrow", "delta"):
        assert f"'{heavy}'" not in loaded


def test_equal_scores_go_by_popularity() -> None:
    alike = dataclasses.replace(by_hand(), popularity=np.full(8, 0.5, dtype=np.float32))
    assert [name for name, _ in proposed(Recommender(alike), count=8)] == list(IDS)
