"""How much each product speaks to a visitor, by similarity to what was touched and by factors. Shared by contest and serving."""

import numpy as np
from numpy.typing import NDArray

from lakehouse.recommend.fold_in import fold_in
from lakehouse.recommend.interactions import Known
from lakehouse.recommend.model import Blend, RecommenderModel

Scores = NDArray[np.float32]


def similarity_scores(model: RecommenderModel, known: Known) -> Scores:
    """Sum of weight x similarity over what was touched; 0 or more, one per product."""
    ids = model.neighbours[known.positions]
    weights = model.neighbour_scores[known.positions] * known.weights[:, None]
    summed = np.bincount(ids.ravel() + 1, weights=weights.ravel(), minlength=len(model.product_ids) + 1)
    return summed[1:].astype(np.float32)


def strongest_source(model: RecommenderModel, known: Known, position: int) -> int:
    """Of what was touched, that which lent the product at `position` most of its similarity. There must be one."""
    lent = np.where(model.neighbours[known.positions] == position, model.neighbour_scores[known.positions], 0.0)
    return int(known.positions[int((lent.max(axis=1) * known.weights).argmax())])


def factor_scores(model: RecommenderModel, gram: NDArray[np.float64], known: Known, blend: Blend) -> Scores:
    """Predicted preference, one per product, 0 at least. `gram`: F'F of the model's factors, in double precision."""
    touched = model.factors[known.positions].astype(np.float64)
    person = fold_in(touched, known.weights, gram, len(model.product_ids), blend.confidence)
    scores = model.factors @ person.astype(np.float32)
    return np.asarray(np.maximum(scores, 0.0, out=scores), dtype=np.float32)


def scaled(scores: Scores, allowed: NDArray[np.bool_], share: float) -> Scores:
    """`share` x the scores, the highest of those allowed being 1; what is not allowed gets 0."""
    kept = scores * allowed
    highest = float(kept.max(initial=0.0))
    return kept * np.float32(share / highest) if highest > 0.0 else kept
