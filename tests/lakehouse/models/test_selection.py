"""The choice is made ahead where older slices say enough, else out of fold; nobody is answered about by a model that has seen them."""

from dataclasses import replace

import numpy as np

from lakehouse.fairness.correction import sigmoid
from lakehouse.features.point_in_time import FEATURES
from lakehouse.models.candidates import SETTINGS, Setting, fit
from lakehouse.models.evaluation import auc
from lakehouse.models.examples import Examples
from lakehouse.models.score_model import BOOSTED, EVERYBODY, LOGISTIC
from lakehouse.models.selection import Candidates
from tests.lakehouse.models.test_judgement import CUTS, EVERYONE, QUICK, drawn

TRAIN = CUTS.splits[0].train
LINE, DEEP = SETTINGS[1], Setting(kind=BOOSTED, options={"max_depth": 3, "learning_rate": 0.1})


def candidates(known: Examples, *, slices: int = len(TRAIN)) -> Candidates:
    return Candidates(known, TRAIN[:slices], EVERYONE, 3)


def growing_older(known: Examples) -> Examples:
    """The days since the first event are the time itself. In the newest month the cart tells who buys, before it orders, now one way and now the other."""
    random = np.random.default_rng(8)
    rows, days = known.rows.copy(), known.cut_off - TRAIN[0].toordinal()
    rows[:, FEATURES.index("tenure_days")] = days + 500.0
    cart, ordered = (random.integers(0, 2, len(known)) for _ in range(2))
    rows[:, FEATURES.index("carts_30d")], rows[:, FEATURES.index("orders_30d")] = 9.0 * cart, 9.0 * ordered
    means = np.select([days == 0, days == -28, days == -42], [2 * cart - 1, 1 - 2 * ordered, 2 * ordered - 1], 0)
    bought = random.random(len(known)) < sigmoid(known.column("views_30d") / 8 - 1 + 1.5 * means)
    return replace(known, rows=rows, happened=bought.astype(float))


def test_what_has_learned_the_time_by_heart_is_chosen_out_of_fold_and_not_where_the_choice_is_made_ahead() -> None:
    known = growing_older(drawn(1, signal=0.0, people=400))
    ahead = candidates(known)
    assert ahead.is_ahead
    chosen = ahead.select((LINE, DEEP))
    assert (chosen.is_ahead, chosen.best, chosen.of_kind(BOOSTED), chosen.kinds) == (
        True,
        LINE,
        DEEP,
        (LOGISTIC, BOOSTED),
    )
    out_of_fold = {one: auc(ahead.out_of_fold(one), ahead.label) for one in (LINE, DEEP)}
    assert out_of_fold[DEEP] > out_of_fold[LINE] + 0.03, "it would have been chosen"
    test = known.at(CUTS.splits[0].test)
    ranked = {one: auc(ahead.fitted(one).probability(test.rows), test.happened) for one in (LINE, DEEP)}
    assert ranked[LINE] > ranked[DEEP] + 0.03


def test_without_older_slices_that_say_enough_the_choice_is_out_of_fold() -> None:
    known = drawn(1, signal=1.0)
    assert not candidates(known, slices=1).is_ahead
    older = known.cut_off <= TRAIN[2].toordinal()
    nobody = replace(known, happened=np.where(older, 0.0, known.happened))
    assert not candidates(nobody).is_ahead, "one outcome only"
    few = known.where(~older | (known.person < 40))
    assert not candidates(few).is_ahead, "a tenth of the rows"
    assert candidates(known.where(~older | (known.person < 100))).is_ahead


def test_the_choice_knows_nothing_of_the_slice_it_is_judged_on() -> None:
    known = drawn(1, signal=1.0)
    test = known.cut_off == CUTS.splits[0].test.toordinal()
    other = replace(known, happened=np.where(test, 1 - known.happened, known.happened))
    assert candidates(known).select(QUICK).loss == candidates(other).select(QUICK).loss


def test_a_search_goes_on_from_the_fixed_settings_by_the_same_losses() -> None:
    found = candidates(drawn(1, signal=1.0)).select(QUICK, trials=3)
    assert list(found.loss)[:2] == list(QUICK)
    assert len(found.loss) == 5
    again = candidates(drawn(1, signal=1.0))
    assert not candidates(drawn(1, signal=1.0), slices=1).select(QUICK, trials=3).loss.keys() - set(QUICK), (
        "out of fold"
    )
    assert all(again.select([one]).loss[one] == loss for one, loss in found.loss.items())


def test_nobody_is_answered_about_by_a_model_that_has_seen_them() -> None:
    """Outcomes are coins, and each person has a figure that tells theirs: out of fold it says nothing."""
    known = drawn(1, signal=0.0)
    rows = known.rows.copy()
    rows[:, FEATURES.index("revenue_ever")] = known.person
    same = replace(known, rows=rows, happened=(np.random.default_rng(6).random(300) < 0.5).astype(float)[known.person])
    of_train = same.at(*TRAIN)
    logit = candidates(same).out_of_fold(DEEP)
    assert auc(logit, of_train.at(TRAIN[0]).happened) < 0.6
    seen = fit(DEEP, of_train.rows, of_train.happened, horizon_days=28, among=EVERYBODY, seed=3)
    assert auc(seen.logit(of_train.rows), of_train.happened) > 0.65
