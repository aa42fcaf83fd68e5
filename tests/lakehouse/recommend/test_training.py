import dataclasses

import numpy as np
import pytest

from lakehouse.recommend.als import AlsSettings, product_factors
from lakehouse.recommend.fold_in import Confidence
from lakehouse.recommend.interactions import DAY_MS, Interaction, known
from lakehouse.recommend.model import NOBODY, Blend
from lakehouse.recommend.training import FitSettings, fit, profile_baskets, with_factors
from tests.lakehouse.recommend.shops import NOW, catalogue, planted, table

SETTINGS = FitSettings(als=AlsSettings(rank=4, sweeps=3), blend=Blend(half_life_days=10))
ROWS = [
    (0, 2, "view", NOW, 0, -1),
    (0, 1, "view", NOW + 1, 0, -1),
    (0, 1, "order", NOW + 2, 0, 0),
    (0, 3, "order", NOW + 2, 0, 0),
    (1, 1, "order", NOW + 3, 1, 1),
    (1, 3, "order", NOW + 3, 1, 1),
    (1, 2, "view", NOW - 10 * DAY_MS, 2, -1),
]


def test_products_come_by_popularity_and_lists_speak_of_their_places() -> None:
    model = fit(table(ROWS, 2, 5), catalogue(5, 2), SETTINGS, as_of_ms=NOW)
    assert model.product_ids == ("p001", "p003", "p002", "p000", "p004")
    assert model.popularity.tolist() == pytest.approx([1, 10 / 11, 1.5 / 11, 0, 0])
    assert [model.categories[one] for one in model.category_of] == ["c1", "c1", "c0", "c0", "c0"]
    assert model.neighbours[0, 0] == 1  # p001 and p003: together in both profiles and sessions
    assert set(model.neighbours[0].tolist()) == {1, 2, NOBODY}
    assert (model.complements == NOBODY).all()  # both are of category c1
    apart = dataclasses.replace(catalogue(5, 2), categories=("a", "b", "c", None, "e"))
    assert fit(table(ROWS, 2, 5), apart, SETTINGS, as_of_ms=NOW).complements[0, 0] == 1


def test_a_profile_weighs_in_training_what_it_weighs_in_serving() -> None:
    rows, known_products = planted(30, taste=0.7), catalogue(60, 6)
    model = fit(rows, known_products, SETTINGS, as_of_ms=NOW)
    trained = profile_baskets(model, rows, known_products, as_of_ms=NOW).toarray()
    index = {product_id: position for position, product_id in enumerate(model.product_ids)}
    kinds = ("view", "cart", "remove", "order")
    for profile in range(30):
        own = np.flatnonzero(rows.profile == profile)
        history = [
            Interaction(known_products.product_ids[rows.product[one]], kinds[rows.kind[one]], int(rows.at_ms[one]))
            for one in own
        ]
        served = known(history, index, now_ms=NOW, half_life_days=10, fade=1.0)
        assert trained[profile, served.positions] == pytest.approx(served.weights)
        assert (trained[profile] > 0).sum() == len(served.positions)


def test_other_factors_leave_the_rest() -> None:
    rows, known_products = planted(30, taste=0.7), catalogue(60, 6)
    model = fit(rows, known_products, SETTINGS, as_of_ms=NOW)
    confidence = Confidence(alpha=10.0, regularisation=0.03)
    other = dataclasses.replace(
        SETTINGS,
        als=dataclasses.replace(SETTINGS.als, confidence=confidence),
        blend=dataclasses.replace(SETTINGS.blend, confidence=confidence),
    )
    found = with_factors(model, rows, known_products, other, as_of_ms=NOW)
    np.testing.assert_array_equal(found.neighbours, model.neighbours)
    np.testing.assert_array_equal(found.factors, fit(rows, known_products, other, as_of_ms=NOW).factors)
    by_profile = profile_baskets(model, rows, known_products, as_of_ms=NOW)
    np.testing.assert_array_equal(found.factors, product_factors(by_profile, other.als))
    assert not np.array_equal(found.factors, model.factors)


def test_segments_like_what_they_like_and_what_everybody_does() -> None:
    known_products = dataclasses.replace(catalogue(5, 2), segment_of=("gold", None))
    model = fit(table(ROWS, 2, 5), known_products, SETTINGS, as_of_ms=NOW)
    assert model.segments == ("gold",)
    assert model.product_ids[int(model.segment_popularity[0].argmax())] == "p001"
    assert model.segment_popularity[0, :3].min() > 0


def test_new_products_are_those_that_came_after_the_record_began() -> None:
    first_seen = NOW - np.array([100, 3, 9, 30, 99]) * DAY_MS
    known_products = dataclasses.replace(catalogue(5, 2), first_seen_ms=first_seen)
    model = fit(table(ROWS, 2, 5), known_products, SETTINGS, as_of_ms=NOW)
    assert [model.product_ids[one] for one in model.new] == ["p001", "p002"]
    young = dataclasses.replace(catalogue(5, 2), first_seen_ms=first_seen[1:3].repeat([3, 2]))
    assert len(fit(table(ROWS, 2, 5), young, SETTINGS, as_of_ms=NOW).new) == 0
