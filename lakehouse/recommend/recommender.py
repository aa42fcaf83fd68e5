"""The recommender that serves: a visitor's history in, proposals out. No Spark, no registry: numpy and orjson.

Places of the list, first to last:
    every fourth, from the second on   goes with what is in the cart: bought together in orders, of another category
    a share of them, as it was learned  bought before and due again, what is bought again most first
    the last, in lists of four or more a new product of the category at hand; the turn passes on every hour
    all others                         the blend of similarity and factors; then what is popular in the category at hand, in the
                                       segment, anywhere; then what was seen before and still can be bought
A place whose source has nothing is filled from the main one. What was bought and is not due again, is in the cart, is being
viewed or cannot be had is in no place; what is durable is never due. Equal scores go by popularity, then product_id.
"""

import functools
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakehouse.recommend import files
from lakehouse.recommend.interactions import DAY_MS, VIEW, Interaction, Known, known
from lakehouse.recommend.model import NOBODY, PERSONAL, RecommenderModel
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.ranking import best
from lakehouse.recommend.scoring import Scores, factor_scores, scaled, similarity_scores, strongest_source

SIMILAR: Final = "similar_to_viewed"
WITH_CART: Final = "goes_with_cart"
FOR_YOU: Final = "for_you"
POPULAR: Final = "popular"
NEW: Final = "new_arrival"
AGAIN: Final = "buy_again"
_CROSS_EVERY: Final = 4
_HOUR_MS: Final = 3_600_000
_NOTHING: Final[Mapping[str, int]] = {}


class _Place(NamedTuple):
    position: int
    score: float
    reason: str
    because: int = NOBODY


class Recommender:
    """One model, ready to serve. Immutable: threads may share it.

    `version`: in the registry; `about`: all that model.json says.
    """

    def __init__(self, model: RecommenderModel, about: dict[str, Any] | None = None) -> None:
        self.about = about or {}
        self.version = str(self.about.get("version", ""))
        self.model = model
        self._index = {product_id: position for position, product_id in enumerate(model.product_ids)}
        self._gram = model.gram
        self._category_of: list[int] = model.category_of.tolist()
        self._again_after_ms: list[float] = (model.again_after_days.astype(np.float64) * DAY_MS).tolist()
        self._again_rate: list[float] = model.again_rate.tolist()
        self._complements = functools.lru_cache(maxsize=4096)(self._complements_of)
        self._available = functools.lru_cache(maxsize=4)(self._all_but)
        self._of_category = [
            np.flatnonzero((model.category_of == category) & model.is_available).tolist()
            for category in range(len(model.categories))
        ]
        self._of_all = np.flatnonzero(model.is_available).tolist()
        self._categories = {name: category for category, name in enumerate(model.categories)}
        self._segments = {
            name: np.argsort(-model.segment_popularity[number], kind="stable")
            for number, name in enumerate(model.segments)
        }

    @classmethod
    def load(cls, folder: Path) -> "Recommender":
        """The model of one version's folder.

        Raises:
            ModelError: a file is missing, damaged or of another layout.
        """
        return cls(*files.read(folder))

    @classmethod
    def load_current(cls, base: Path) -> "Recommender":
        """The model that the pointer file of `<lake.root>/_serving/recommender` names.

        Raises:
            ModelError: as `load`, or there is no pointer.
        """
        return cls.load(files.current(base))

    def category_of(self, product_id: str) -> str | None:
        """None for a product or category that is not known."""
        position = self._index.get(product_id)
        category = NOBODY if position is None else self._category_of[position]
        return None if category == NOBODY else self.model.categories[category]

    def is_waiting(self, product_id: str, bought_ms: int, now_ms: int) -> bool:
        """Whether what was bought then is not due again; so is what the model does not know."""
        position = self._index.get(product_id)
        return position is None or now_ms - bought_ms < self._again_after_ms[position]

    def propose(
        self,
        history: Sequence[Interaction],
        *,
        now_ms: int,
        viewing: str | None = None,
        last_bought: Mapping[str, int] = _NOTHING,
        unavailable: AbstractSet[str] = frozenset(),
        count: int = 10,
        category: str | None = None,
        segment: str | None = None,
        explain: bool = False,
        is_personal: bool = True,
    ) -> list[Proposal]:
        """At most `count` products, best first. Products, categories and segments the model does not know are ignored.

        Args:
            history: what the visitor did, in any order.
            now_ms: the moment of the answer, UTC milliseconds; interactions ahead of it count as of now.
            viewing: product of the page; counts as looked at now, and is not proposed.
            last_bought: product -> when it was ordered last, UTC milliseconds; not proposed until it is due again.
            unavailable: sold out or withdrawn; never proposed. The same frozenset again costs nothing.
            count: of proposals, at most.
            category: of the page, where it shows no product.
            segment: of the profile; used where the history says nothing.
            explain: tell `because`.
            is_personal: whether what somebody did may speak for a product. Else, and where the model was refused, it only keeps out what
                is in the cart or not due again: the list is what everybody likes, and follows the page alone.
        """
        if (count := min(count, len(self._index))) <= 0:
            return []
        blend = self.model.blend
        looked = [*history, Interaction(viewing, VIEW, now_ms)] if viewing is not None else history
        person = known(looked, self._index, now_ms=now_ms, half_life_days=blend.half_life_days, fade=blend.fade)
        allowed = self._available(frozenset(unavailable)).copy()
        due = self._due(person, last_bought, now_ms, allowed)
        for one in (*person.cart, *self._positions((viewing,))):
            allowed[one] = False
        speaks = self.model.kind == PERSONAL and is_personal
        fresh = allowed.copy()
        if speaks:
            fresh[person.positions] = False
        touched: list[int] = person.positions[:3].tolist() if speaks else []
        at_hand = self._categories_at_hand(touched, viewing, category)
        main: Iterator[_Place] = self._popular(fresh, at_hand, segment if speaks else None)
        cross: Iterator[_Place] = iter(())
        again: Iterator[_Place] = iter(())
        if speaks:
            again = self._again(due, allowed)
            fresh[due] = False  # they have places of their own
            if len(person.positions):
                main = itertools.chain(self._personal(person, fresh, count, explain), main)
                cross = self._with_cart(person, fresh)
            main = itertools.chain(main, self._popular(allowed, at_hand, segment))
        new = self._new(fresh, at_hand, now_ms)
        return [self._proposal(one) for one in _filled(count, main, cross, new, again, blend.again)]

    def _positions(self, product_ids: Iterable[str | None]) -> list[int]:
        return [self._index[one] for one in product_ids if one in self._index]

    def _all_but(self, unavailable: frozenset[str]) -> NDArray[np.bool_]:
        """What can be had; kept for the sets asked for last, a frozenset keeps its hash."""
        allowed = self.model.is_available.copy()
        allowed[self._positions(unavailable)] = False
        return allowed

    def _due(self, person: Known, last_bought: Mapping[str, int], now_ms: int, allowed: NDArray[np.bool_]) -> list[int]:
        """Positions of what was bought and is due again. What is not is taken out of `allowed`."""
        bought = dict(person.ordered)
        for product_id, at_ms in last_bought.items():
            if (position := self._index.get(product_id)) is not None:
                bought[position] = max(at_ms, bought.get(position, at_ms))
        due = []
        for position, at_ms in bought.items():
            if now_ms - at_ms < self._again_after_ms[position]:
                allowed[position] = False
            else:
                due.append(position)
        return due

    def _again(self, due: Sequence[int], allowed: NDArray[np.bool_]) -> Iterator[_Place]:
        """What was bought and is due, what most of its buyers buy again first."""
        rate = self._again_rate
        for position in sorted(due, key=lambda one: (-rate[one], one)):
            if allowed[position]:
                yield _Place(position, rate[position], AGAIN)

    def _categories_at_hand(self, touched: Iterable[int], viewing: str | None, category: str | None) -> list[int]:
        """Of the product being viewed, of the page, of what was `touched` last, by position; each once."""
        viewed = self._index.get(viewing) if viewing is not None else None
        named = self._categories.get(category) if category is not None else None
        first = (
            self._category_of[viewed] if viewed is not None else NOBODY,
            NOBODY if named is None else named,
        )
        of_touched = (self._category_of[position] for position in touched)
        return list(dict.fromkeys(one for one in (*first, *of_touched) if one != NOBODY))

    def _personal(self, person: Known, allowed: NDArray[np.bool_], count: int, explain: bool) -> Iterator[_Place]:
        model, mix = self.model, self.model.blend.mix
        nothing = np.zeros(len(allowed), dtype=np.float32)
        similar: Scores = scaled(similarity_scores(model, person), allowed, mix) if mix > 0 else nothing
        factors: Scores = nothing
        if mix < 1:
            factors = scaled(factor_scores(model, self._gram, person, model.blend), allowed, 1 - mix)
        total = similar + factors
        for position in best(total, 2 * count).tolist():  # some may be placed by other sources already
            score = float(total[position])
            if score <= 0.0:
                return
            if similar[position] < factors[position]:
                yield _Place(position, score, FOR_YOU)
            else:
                because = strongest_source(model, person, position) if explain else NOBODY
                yield _Place(position, score, SIMILAR, because)

    def _with_cart(self, person: Known, allowed: NDArray[np.bool_]) -> Iterator[_Place]:
        """Bought with what is in the cart and of a category that is not in it, strongest first."""
        taken = {self._category_of[one] for one in person.cart} - {NOBODY}
        together = heapq.merge(*map(self._complements, person.cart))
        for weakness, position, because in together:
            if allowed[position] and self._category_of[position] not in taken:
                yield _Place(position, min(1.0, -weakness), WITH_CART, because)

    def _complements_of(self, position: int) -> list[tuple[float, int, int]]:
        """What is bought with a product: the score below zero, the other, itself; strongest first, then by position."""
        others, scores = self.model.complements[position].tolist(), self.model.complement_scores[position].tolist()
        return sorted((-score, other, position) for other, score in zip(others, scores, strict=True) if other != NOBODY)

    def _popular(self, allowed: NDArray[np.bool_], at_hand: Sequence[int], segment: str | None) -> Iterator[_Place]:
        for category in at_hand:
            yield from self._of_popularity(self._of_category[category], allowed)
        if (by_segment := self._segments.get(segment or "")) is not None:
            yield from self._of_popularity(by_segment.tolist(), allowed)
        yield from self._of_popularity(self._of_all, allowed)

    def _of_popularity(self, positions: Iterable[int], allowed: NDArray[np.bool_]) -> Iterator[_Place]:
        for position in positions:
            if allowed[position]:
                yield _Place(position, float(self.model.popularity[position]), POPULAR)

    def _new(self, allowed: NDArray[np.bool_], at_hand: Sequence[int], now_ms: int) -> Iterator[_Place]:
        """New products of the category at hand, then any others, both beginning with another one every hour."""
        new = [position for position in self.model.new.tolist() if allowed[position]]
        near = [position for position in new if self._category_of[position] in at_hand[:1]]
        far = [position for position in new if self._category_of[position] not in at_hand[:1]]
        hour = now_ms // _HOUR_MS
        for position in itertools.chain.from_iterable(_turned(one, hour) for one in (near, far)):
            yield _Place(position, float(self.model.popularity[position]), NEW)

    def _proposal(self, place: _Place) -> Proposal:
        ids = self.model.product_ids
        because = None if place.because == NOBODY else ids[place.because]
        return Proposal(ids[place.position], round(place.score, 6), place.reason, because)


def _turned(positions: list[int], times: int) -> list[int]:
    turn = times % len(positions) if positions else 0
    return positions[turn:] + positions[:turn]


def _filled(
    count: int,
    main: Iterator[_Place],
    cross: Iterator[_Place],
    new: Iterator[_Place],
    again: Iterator[_Place],
    again_share: float,
) -> list[_Place]:
    """`count` different places, fewer where the sources run dry."""
    chosen: dict[int, _Place] = {}
    for number in range(count):
        own = []
        if number == count - 1 and count >= _CROSS_EVERY:
            own.append(new)
        if number % _CROSS_EVERY == 1:
            own.append(cross)
        if int((number + 1) * again_share) > int(number * again_share):
            own.append(again)
        for place in itertools.chain(*own, main):
            if place.position not in chosen:
                chosen[place.position] = place
                break
    return list(chosen.values())
