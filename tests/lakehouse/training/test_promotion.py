"""Who reigns after a training: better than popularity, and not worse than the champion of before."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lakehouse.config import LakeConfig, load
from lakehouse.decisions.product_choice import popular_list
from lakehouse.models.evaluation import Estimate
from lakehouse.models.publish import Trained, publish
from lakehouse.models.registry import RECOMMENDER
from lakehouse.recommend import files
from lakehouse.recommend.contest import fit_at
from lakehouse.recommend.model import POPULARITY, RecommenderModel
from lakehouse.training.promotion import PROMOTED, STAYS, Reigning, Verdict, judged_files, outcome, reigning, verdict
from lakehouse.training.served_lists import POPULAR, SERVED, lists, visits
from tests.lakehouse.recommend.shops import NOW, by_hand, pantry
from tests.lakehouse.training.test_served_lists import SETTINGS, SHOP, START

ROWS = pantry(250, seed=6)[0]
VISITS = visits(ROWS, SHOP, START, NOW + 1)


@pytest.fixture(scope="module")
def good() -> RecommenderModel:
    return fit_at(ROWS, SHOP, SETTINGS, START)[0]


@pytest.fixture(scope="module")
def bad(good: RecommenderModel) -> RecommenderModel:
    """Has little to show."""
    return dataclasses.replace(good, is_available=np.isin(good.product_ids, ["p009", "p019", "p029"]))


def ruled(new: RecommenderModel, old: RecommenderModel | None, margin: float = 0.05) -> Verdict:
    champion = None if old is None else Reigning(version="3", model=old, until_ms=START)
    shown = {SERVED: lists(new, VISITS), POPULAR: lists(new, VISITS, popular_list)}
    return verdict(shown, champion, VISITS, margin=margin, seed=7)


def test_where_nothing_reigns_what_beats_popularity_is_promoted(good: RecommenderModel, bad: RecommenderModel) -> None:
    assert ruled(good, None).outcome == PROMOTED
    assert ruled(bad, None).outcome == "popularity"


def test_a_worse_model_does_not_replace_a_better_one(good: RecommenderModel, bad: RecommenderModel) -> None:
    found = ruled(bad, good)
    assert found.outcome == STAYS
    assert found.over_champion is not None
    assert found.over_champion.high < 0
    assert "over champion 3 -" in found.reason


def test_a_better_one_replaces_a_worse_and_the_same_one_nothing(good: RecommenderModel, bad: RecommenderModel) -> None:
    assert ruled(good, bad).outcome == PROMOTED
    same = ruled(good, good)
    assert (same.outcome, same.is_same) == (STAYS, True)


def test_one_as_good_within_the_margin_is_promoted_for_it_knows_more_days(good: RecommenderModel) -> None:
    yesterday = fit_at(ROWS, SHOP, SETTINGS, START - 86_400_000)[0]
    found = ruled(good, yesterday)
    assert found.worst < 0
    assert found.outcome == PROMOTED
    assert ruled(good, yesterday, margin=-1.0).outcome == STAYS, "a margin nothing can meet"


BETTER, UNSURE, WORSE = (Estimate(value=mid, low=mid - 0.02, high=mid + 0.02) for mid in (0.03, 0.0, -0.03))


@pytest.mark.parametrize(
    ("over_popularity", "over_champion", "champions", "is_same", "expected"),
    [
        (BETTER, BETTER, BETTER, False, PROMOTED),
        (BETTER, BETTER, WORSE, False, PROMOTED),
        (BETTER, UNSURE, BETTER, False, STAYS),  # it may be worse by more than the margin
        (BETTER, WORSE, BETTER, False, STAYS),
        (BETTER, UNSURE, BETTER, True, STAYS),
        (UNSURE, BETTER, UNSURE, False, STAYS),
        (UNSURE, BETTER, WORSE, False, "popularity"),  # the champion is shown to be worse than popularity
        (WORSE, WORSE, BETTER, False, STAYS),
    ],
)
def test_who_reigns(
    over_popularity: Estimate, over_champion: Estimate, champions: Estimate, is_same: bool, expected: str
) -> None:
    assert outcome(over_popularity, over_champion, champions, worst=-0.01, is_same=is_same) == expected


def test_the_champion_is_judged_as_it_was_when_it_was_trained(tmp_path: Path) -> None:
    config = dataclasses.replace(load(), lake=LakeConfig(root=str(tmp_path), keep_hours=1))
    assert reigning(config) is None
    model = by_hand()
    blend = dataclasses.asdict(model.blend)
    parameters = {"kind": model.kind, "blend": blend, "judged_until_ms": 5}
    as_judged = by_hand(popularity=np.full(8, 0.5, dtype=np.float32))

    def put(**changes: object) -> str:
        own = {"parameters": parameters, "files": {files.ARRAYS: files.packed(model), **judged_files(as_judged)}}
        return publish(config, Trained(name=RECOMMENDER, metrics={}, settings={}, snapshot={}, **(own | changes)))

    version = put()
    found = reigning(config)
    assert found is not None
    assert (found.version, found.until_ms, found.model.popularity[0]) == (version, 5, 0.5)
    put(parameters=parameters | {"kind": POPULARITY})
    assert reigning(config) is None
    put(files={})
    assert reigning(config) is None
    put(files={"judged.npz": b"damaged"})
    assert reigning(config) is None
