"""A trained recommender as plain arrays. numpy only.

Products are in order of popularity, ties by product_id, so the lower position wins every tie.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ModelError
from lakehouse.recommend.fold_in import Confidence

NOBODY: Final = -1  # no product, no category
PERSONAL: Final = "personal"
POPULARITY: Final = "popularity"


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How a visitor's history becomes a list, as chosen in the contest.

    `mix`: share of item-item similarity, 0..1; the rest is the factors'. `half_life_days`, `fade`: see
    lakehouse/recommend/interactions.py. `again`: share of the places for what was bought and is due again, 0..1.
    """

    mix: float = 0.5
    half_life_days: float = 30.0
    fade: float = 1.0
    again: float = 0.0
    confidence: Confidence = field(default_factory=Confidence)


@dataclass(frozen=True, kw_only=True)
class RecommenderModel:
    """P products, C categories, S segments, K neighbours kept, F factors.

    `kind`: PERSONAL, or POPULARITY where nothing better was found. `category_of`: P, position in `categories`, NOBODY = unknown.
    `popularity`: P, 0..1, falling. `segment_popularity`: S x P, 0..1. `is_available`: P. `new`: positions of new products,
    newest first. `neighbours`, `complements`: P x K positions, NOBODY-padded, with their scores. `factors`: P x F.
    `again_rate`, `again_after_days`: P, see lakehouse/recommend/repurchase.py; rate 0 and infinite days = durable.
    """

    kind: str
    blend: Blend
    product_ids: tuple[str, ...]
    categories: tuple[str, ...]
    category_of: NDArray[np.int32]
    popularity: NDArray[np.float32]
    segments: tuple[str, ...]
    segment_popularity: NDArray[np.float32]
    is_available: NDArray[np.bool_]
    new: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    neighbour_scores: NDArray[np.float32]
    complements: NDArray[np.int32]
    complement_scores: NDArray[np.float32]
    factors: NDArray[np.float32]
    again_rate: NDArray[np.float32]
    again_after_days: NDArray[np.float32]

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise ModelError(f"recommender: {fault}. Run ./spark-submit.sh ml/train_recommender.py")

    @property
    def gram(self) -> NDArray[np.float64]:
        """F'F in double precision, for lakehouse/recommend/fold_in.py."""
        wide = self.factors.astype(np.float64)
        return wide.T @ wide

    def _faults(self) -> list[str]:
        """What makes the arrays no model."""
        products = len(self.product_ids)
        positions = {"new": self.new, "neighbours": self.neighbours, "complements": self.complements}
        shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "category_of": (self.category_of.shape, (products,)),
            "popularity": (self.popularity.shape, (products,)),
            "is_available": (self.is_available.shape, (products,)),
            "segment_popularity": (self.segment_popularity.shape, (len(self.segments), products)),
            "new": (self.new.shape, self.new.shape[:1]),
            "neighbours": (self.neighbours.shape, (products, *self.neighbours.shape[1:2])),
            "neighbour_scores": (self.neighbour_scores.shape, self.neighbours.shape),
            "complements": (self.complements.shape, (products, *self.complements.shape[1:2])),
            "complement_scores": (self.complement_scores.shape, self.complements.shape),
            "factors": (self.factors.shape, (products, *self.factors.shape[1:2])),
            "again_rate": (self.again_rate.shape, (products,)),
            "again_after_days": (self.again_after_days.shape, (products,)),
        }
        faults = [
            f"{name}: wrong shape, got {got}, expected {want}" for name, (got, want) in shapes.items() if got != want
        ]
        for name, found in positions.items():
            if found.size and not (found.min() >= NOBODY and found.max() < products):
                faults.append(f"{name}: positions {found.min()}..{found.max()}, expected -1..{products - 1}")
        if self.category_of.size and not (
            self.category_of.min() >= NOBODY and self.category_of.max() < len(self.categories)
        ):
            faults.append(f"category_of: unknown category, expected -1..{len(self.categories) - 1}")
        figures = ("popularity", "segment_popularity", "neighbour_scores", "complement_scores", "factors", "again_rate")
        faults += [
            f"{name}: got not-a-number, expected figures"
            for name in figures
            if not np.isfinite(getattr(self, name)).all()
        ]
        if np.isnan(self.again_after_days).any():
            faults.append("again_after_days: got not-a-number, expected days, infinite where a product is durable")
        if self.kind not in (PERSONAL, POPULARITY):
            faults.append(f"kind: got {self.kind!r}, expected {PERSONAL} or {POPULARITY}")
        if len(set(self.product_ids)) != products:
            faults.append("product_ids: one comes twice, expected every product once")
        return faults
