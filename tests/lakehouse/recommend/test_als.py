import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, random_array

from lakehouse.recommend.als import AlsSettings, product_factors, solve
from lakehouse.recommend.fold_in import Confidence, fold_in

CONFIDENCE = Confidence(alpha=3.0, regularisation=0.05)


def seen(users: int = 12, products: int = 9) -> csr_matrix:
    return csr_matrix(random_array((users, products), density=0.3, rng=np.random.default_rng(1)))


def loss(person: np.ndarray, weights: np.ndarray, factors: np.ndarray) -> float:
    """Hu, Koren and Volinsky's, of one row, written as it is defined."""
    confidence = 1 + CONFIDENCE.alpha * weights
    return float(
        (confidence * ((weights > 0) - factors @ person) ** 2).sum()
        + CONFIDENCE.regularisation * confidence.sum() * person @ person
    )


def test_folding_in_finds_the_minimum_of_the_loss() -> None:
    factors = np.random.default_rng(2).normal(size=(9, 4))
    weights = seen().toarray()[0]
    touched = np.flatnonzero(weights)
    person = fold_in(factors[touched], weights[touched], factors.T @ factors, 9, CONFIDENCE)
    found = minimize(loss, np.zeros(4), args=(weights, factors), options={"gtol": 1e-10})
    assert person == pytest.approx(found.x, abs=1e-5)
    assert solve(seen(), factors, CONFIDENCE)[0] == pytest.approx(person)


def test_nobody_and_nothing_have_no_factors() -> None:
    weights = csr_matrix(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]))
    factors = product_factors(weights, AlsSettings(rank=2, confidence=CONFIDENCE))
    assert (factors[1] == 0).all()
    assert (solve(weights, factors.astype(float), CONFIDENCE)[1] == 0).all()
    assert (fold_in(np.empty((0, 2)), np.empty(0), np.eye(2), 3, CONFIDENCE) == 0).all()


def test_sweeps_bring_the_loss_down_and_a_seed_gives_the_same_factors() -> None:
    def whole_loss(sweeps: int) -> float:
        factors = product_factors(seen(), AlsSettings(rank=3, confidence=CONFIDENCE, sweeps=sweeps)).astype(float)
        people = solve(seen(), factors, CONFIDENCE)
        confidence = 1 + CONFIDENCE.alpha * seen().toarray()
        own = CONFIDENCE.regularisation * (confidence.sum(axis=0) * (factors**2).sum(axis=1)).sum()
        return own + sum(loss(one, row, factors) for one, row in zip(people, seen().toarray(), strict=True))

    losses = [whole_loss(sweeps) for sweeps in (1, 2, 4, 8)]
    assert losses == sorted(losses, reverse=True)
    first, second = (product_factors(seen(), AlsSettings(rank=3, confidence=CONFIDENCE)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
