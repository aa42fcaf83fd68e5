"""Which settings win, and how well their scores do: chosen on one slice of time, judged on the next.

    train ........................ | validation ...... | test ...... | as_of

A person counts who did something before the slice and touched a product in it that was new to them; what they touched
before is out of the lists, as in serving. Histories and scores are made by the code that serves. On a tie the settings tried
first win.

Beside the contenders stand popularity and, where products are few enough to invert their matrix, EASE: a yardstick only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakehouse.models.evaluation import Estimate, mean_estimate
from lakehouse.recommend.ease import ease_weights
from lakehouse.recommend.fold_in import Confidence
from lakehouse.recommend.holdout import JudgedPerson, Score, judge, people
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import Known, known
from lakehouse.recommend.model import Blend, RecommenderModel
from lakehouse.recommend.ranking import K, best, ndcg
from lakehouse.recommend.scoring import factor_scores, scaled, similarity_scores
from lakehouse.recommend.training import FitSettings, fit, profile_baskets, with_factors

POPULAR, EASE, ITEM_ITEM, ALS, CHALLENGER = "popularity", "EASE (yardstick)", "item-item", "ALS", "challenger"
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)
FADES = (1.0, 0.85)
CONFIDENCES = tuple(Confidence(alpha=alpha, regularisation=reg) for alpha in (2.0, 10.0) for reg in (0.01, 0.03))
EASE_PRODUCTS = 2_000
EASE_RIDGE = 300.0
SHARES = (0.7, 0.85)  # of the interactions, by time: where validation and test begin


@dataclass(frozen=True, kw_only=True)
class Contest:
    """`figures`: by contender, then "ndcg" and "recall" at 20. `gain`: NDCG of the challenger less popularity's, person by person.

    `validation_ndcg`: of the settings chosen, on the slice they were chosen by.
    """

    settings: FitSettings
    validation_ndcg: float
    figures: Mapping[str, Mapping[str, Estimate]]
    gain: Estimate
    judged: int

    def table(self) -> str:
        """For a person: everyone's figures, the winner's settings."""
        blend, als = self.settings.blend, self.settings.als
        lines = [f"{f'test slice, {self.judged:,} people':<28} {'NDCG@20, 95 % interval':<26} Recall@20"]
        lines += [f"{who:<28} {found['ndcg']!s:<26} {found['recall']}" for who, found in self.figures.items()]
        lines += [
            f"challenger: {blend.mix:.0%} item-item, {1 - blend.mix:.0%} ALS of rank {als.rank}, alpha {als.confidence.alpha:g}, "
            f"regularisation {als.confidence.regularisation:g}, fade {blend.fade:g}; NDCG@20 {self.validation_ndcg:.4f} on "
            "validation",
            f"NDCG gain of its scores over popularity {self.gain}",
        ]
        return "\n".join(lines)


def contest(
    rows: Interactions, catalogue: ProductCatalogue, base: FitSettings, *, first: int, second: int, as_of_ms: int
) -> tuple[Contest, RecommenderModel]:
    """Choose in first..second, judge in second..as_of. `base`: rank, half-life and the other settings that are not in question.

    Returns what was found, and the winner as it was judged: fitted on what came before `second`, and knowing nothing after it.

    Raises:
        ModelError: too few people to judge by in a slice.
    """
    settings, validation_ndcg = choose(rows, catalogue, base, first, second)
    model, before = fit_at(rows, catalogue, settings, second)
    found = people(rows, model, catalogue, second, as_of_ms + 1)
    lists = _contenders(model)
    if rows.products <= EASE_PRODUCTS:
        weights = ease_weights(profile_baskets(model, before, catalogue, as_of_ms=second), EASE_RIDGE)
        lists[EASE] = lambda one: one.weights @ weights[one.positions]
    histories = _histories(found, model, settings.blend, second)
    scores = {who: judge(found, histories, score, K) for who, score in lists.items()}
    seed = base.als.seed
    figures = {
        who: {name: mean_estimate(values, seed) for name, values in zip(("ndcg", "recall"), found_.T, strict=True)}
        for who, found_ in scores.items()
    }
    gain = mean_estimate(scores[CHALLENGER][:, 0] - scores[POPULAR][:, 0], seed)
    result = Contest(
        settings=settings, validation_ndcg=validation_ndcg, figures=figures, gain=gain, judged=len(found)
    )  # fmt: skip
    return result, model


def boundaries(rows: Interactions) -> tuple[int, int]:
    """Where validation and test begin."""
    first, second = (int(one) for one in np.quantile(rows.at_ms, SHARES))
    return first, second


def fit_at(
    rows: Interactions, catalogue: ProductCatalogue, settings: FitSettings, at_ms: int
) -> tuple[RecommenderModel, Interactions]:
    """A model as it would have been at `at_ms`, and the rows it was fitted on."""
    before = rows.where(rows.at_ms < at_ms)
    return fit(before, catalogue.known_at(rows, at_ms, settings.gone_days), settings, as_of_ms=at_ms), before


def choose(
    rows: Interactions, catalogue: ProductCatalogue, base: FitSettings, start: int, end: int
) -> tuple[FitSettings, float]:
    """The settings of the highest mean NDCG in start..end, and that NDCG."""
    model, before = fit_at(rows, catalogue, base, start)
    found = people(rows, model, catalogue, start, end)
    tried: list[tuple[float, FitSettings]] = []
    for confidence in CONFIDENCES:
        settings = replace(
            base, als=replace(base.als, confidence=confidence), blend=replace(base.blend, confidence=confidence)
        )
        model = with_factors(model, before, catalogue, settings, as_of_ms=start)
        for fade in FADES:
            blend = replace(settings.blend, fade=fade)
            for mix, value in zip(MIXES, _by_mix(model, found, _histories(found, model, blend, start)), strict=True):
                tried.append((value, replace(settings, blend=replace(blend, mix=mix))))
    value, best_settings = max(tried, key=lambda one: one[0])
    return best_settings, value


def _by_mix(model: RecommenderModel, found: Sequence[JudgedPerson], histories: Sequence[Known]) -> list[float]:
    """Mean NDCG for every one of MIXES; similarity and factors are computed once."""
    gram = model.gram
    values = np.zeros((len(found), len(MIXES)))
    for number, (person, one) in enumerate(zip(found, histories, strict=True)):
        allowed = np.ones(len(model.product_ids), dtype=np.bool_)
        allowed[person.seen] = False
        similar = scaled(similarity_scores(model, one), allowed, 1.0)
        factors = scaled(factor_scores(model, gram, one, model.blend), allowed, 1.0)
        for place, mix in enumerate(MIXES):
            scores = np.where(allowed, mix * similar + (1 - mix) * factors, -np.inf)
            values[number, place] = ndcg(best(scores, K), person.relevant)
    return [float(value) for value in values.mean(axis=0)]


def _contenders(model: RecommenderModel) -> dict[str, Score]:
    gram, blend = model.gram, model.blend

    def mixed(one: Known) -> NDArray[np.floating]:
        allowed = np.ones(len(model.product_ids), dtype=np.bool_)
        allowed[one.positions] = False
        similar = scaled(similarity_scores(model, one), allowed, blend.mix)
        return similar + scaled(factor_scores(model, gram, one, blend), allowed, 1 - blend.mix)

    return {
        POPULAR: lambda one: model.popularity,
        ITEM_ITEM: lambda one: similarity_scores(model, one),
        ALS: lambda one: factor_scores(model, gram, one, blend),
        CHALLENGER: mixed,
    }


def _histories(found: Sequence[JudgedPerson], model: RecommenderModel, blend: Blend, now_ms: int) -> list[Known]:
    index = {product_id: position for position, product_id in enumerate(model.product_ids)}
    return [
        known(person.history, index, now_ms=now_ms, half_life_days=blend.half_life_days, fade=blend.fade)
        for person in found
    ]
