"""The people a recommender is judged by on one slice of time, and how well lists do for them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ModelError
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import KINDS, Interaction, Known
from lakehouse.recommend.model import RecommenderModel
from lakehouse.recommend.ranking import best, ndcg, recall
from lakehouse.recommend.training import positions

MOST = 3_000  # people of a slice; by the order of their numbers, which says nothing of them
FEWEST = 20

Score = Callable[[Known], NDArray[np.floating]]


@dataclass(frozen=True, kw_only=True)
class JudgedPerson:
    """`history`: before the slice. `seen`, `relevant`: positions of its products, and of those that were new in the slice."""

    history: tuple[Interaction, ...]
    seen: NDArray[np.intp]
    relevant: NDArray[np.intp]


def people(
    rows: Interactions, model: RecommenderModel, catalogue: ProductCatalogue, start: int, end: int
) -> list[JudgedPerson]:
    """Who did something before `start` and touched a product new to them in start..end; MOST at most.

    Raises:
        ModelError: fewer than FEWEST.
    """
    product = positions(model, catalogue)[rows.product].astype(np.intp)
    found = []
    for numbers in by_profile(rows):
        at_ms = rows.at_ms[numbers]
        before, within = numbers[at_ms < start], numbers[(at_ms >= start) & (at_ms < end)]
        relevant = np.setdiff1d(product[within], product[before])
        if len(before) and len(relevant):
            history = tuple(
                Interaction(model.product_ids[product[one]], KINDS[rows.kind[one]], int(rows.at_ms[one]))
                for one in before
            )
            found.append(JudgedPerson(history=history, seen=np.unique(product[before]), relevant=relevant))
        if len(found) == MOST:
            break
    if len(found) < FEWEST:
        raise ModelError(
            f"train_recommender: too few people to judge by, got {len(found)} who came back and touched a new product, "
            f"expected {FEWEST} or more. Run again when more events have come in"
        )
    return found


def by_profile(rows: Interactions) -> Iterator[NDArray[np.int64]]:
    """Row numbers of each profile, oldest first."""
    order = np.argsort(rows.profile, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(rows.profile[order])) + 1)


def judge(found: Sequence[JudgedPerson], histories: Sequence[Known], score: Score, k: int) -> NDArray[np.float64]:
    """People x (NDCG, Recall) at k of the lists by `score`, what was seen before left out."""
    figures = np.empty((len(found), 2))
    for number, (person, known) in enumerate(zip(found, histories, strict=True)):
        scores = np.array(score(known), dtype=np.float64)
        scores[person.seen] = -np.inf
        ranked = best(scores, k)
        figures[number] = ndcg(ranked, person.relevant, k), recall(ranked, person.relevant, k)
    return figures
