"""How good the lists are that people see: those of serving, made by serving's own code for people of a held-out slice of time.

A person counts by the first visit in the slice. The list is made for the moment it began, from what the service would have
known: actions of 30 days, the last orders, what the model held to be gone. Wanted is what they ordered within LOOK_AHEAD_DAYS,
again or for the first time, and what they touched then that was new to them.

Beside the list stand the same lists with one part of the mixing left out, so that a reader sees what each part costs or brings; the
list of a refused model; and popularity, as the rung of that name serves it. All are of the same people: differences are paired, person
by person.

Not in it: rules, which are the shop's own word and not the model's, and stock as it was told at the time, which nobody keeps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakehouse.decisions.product_choice import Asked, personal_list, popular_list
from lakehouse.decisions.trace import Trace
from lakehouse.errors import ModelError
from lakehouse.models.evaluation import Estimate, mean_estimate
from lakehouse.online.online_profile import MOST_BOUGHT
from lakehouse.online.recent_behaviour import MONTH_MS
from lakehouse.online.recent_entries import MOST_ENTRIES
from lakehouse.recommend.contest import fit_at
from lakehouse.recommend.holdout import FEWEST, by_profile
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.interactions import DAY_MS, KINDS, ORDER, Interaction
from lakehouse.recommend.model import NOBODY, POPULARITY, RecommenderModel
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.ranking import ndcg, recall
from lakehouse.recommend.recommender import Recommender
from lakehouse.recommend.training import FitSettings
from lakehouse.recommend.variety import Variety, variety
from lakehouse.rules.book import Rule

COUNT = 10  # products of a list, the service's own default
LOOK_AHEAD_DAYS = 1  # the visit: a longer one would not see whether a thing comes when it is due
MOST = 1_000  # people; by the order of their numbers, which says nothing of them
AGAIN = (0.0, 0.25, 0.5, 0.75, 1.0)
SERVED, ALONE, REFUSED, POPULAR = "served list", "model's scores alone", "refused model", "popularity"

Lists = list[list[str]]
Rung = Callable[[Recommender, Asked, Sequence[Rule], Trace], list[Proposal]]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What the service would have been asked, and the ids of what was wanted afterwards; at least one."""

    asked: Asked
    wanted: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ListFigures:
    """`figures`: by list, then "ndcg" and "recall" at COUNT. `gains`: by other list, NDCG of the served one less that of the other.

    `variety`: of the served list and of popularity. `judged`: people.
    """

    figures: Mapping[str, Mapping[str, Estimate]]
    gains: Mapping[str, Estimate]
    variety: Mapping[str, Variety]
    judged: int

    def table(self) -> str:
        """For a person."""
        at = f"@{COUNT}"
        lines = [f"{f'lists of {COUNT}, {self.judged:,} visits':<28} {f'NDCG{at}, 95 % interval':<26} Recall{at}"]
        lines += [f"{who:<28} {found['ndcg']!s:<26} {found['recall']}" for who, found in self.figures.items()]
        lines += [f"served list over {who}: NDCG{at} gain {gain}" for who, gain in self.gains.items()]
        lines += [f"{who}: {found}" for who, found in self.variety.items()]
        return "\n".join(lines)


def visits(rows: Interactions, catalogue: ProductCatalogue, start: int, end: int, *, most: int = MOST) -> list[Visit]:
    """The first visit in start..end of everybody who did something before it and wanted something after; `most` people at most.

    Raises:
        ModelError: fewer than FEWEST.
    """
    found = []
    for numbers in by_profile(rows):
        if (visit := _visit(rows, catalogue, numbers, start, end)) is not None:
            found.append(visit)
        if len(found) == most:
            break
    if len(found) < FEWEST:
        raise ModelError(
            f"train_recommender: too few people to judge lists by, got {len(found)} who came back and wanted something, "
            f"expected {FEWEST} or more. Run again when more events have come in"
        )
    return found


def _visit(
    rows: Interactions, catalogue: ProductCatalogue, numbers: NDArray[np.int64], start: int, end: int
) -> Visit | None:
    """`numbers`: rows of one person, oldest first."""
    at_ms = rows.at_ms[numbers]
    first, last = np.searchsorted(at_ms, (start, end))
    if first in (0, last):
        return None
    now_ms = int(at_ms[first])
    after = numbers[first : np.searchsorted(at_ms, min(end, now_ms + LOOK_AHEAD_DAYS * DAY_MS))]
    is_order = rows.kind == KINDS.index(ORDER)
    before = numbers[:first]
    new = np.setdiff1d(rows.product[after], rows.product[before])
    wanted = np.union1d(new, rows.product[after[is_order[after]]])
    if len(wanted) == 0:
        return None
    ids = catalogue.product_ids
    recent = before[rows.at_ms[before] > now_ms - MONTH_MS][-MOST_ENTRIES:]
    actions = tuple(
        Interaction(ids[rows.product[one]], KINDS[rows.kind[one]], int(rows.at_ms[one])) for one in recent[::-1]
    )
    last_bought: dict[str, int] = {}
    for one in before[is_order[before]][::-1]:
        if len(last_bought) == MOST_BOUGHT:
            break
        last_bought.setdefault(ids[rows.product[one]], int(rows.at_ms[one]))
    asked = Asked(count=COUNT, now_ms=now_ms, actions=actions, last_bought=last_bought)
    return Visit(asked=asked, wanted=frozenset(ids[one] for one in wanted))


def variants(model: RecommenderModel) -> dict[str, RecommenderModel]:
    """The model as it serves, without one part of the mixing each, without any, and refused."""
    none = np.full_like(model.complements, NOBODY)
    no_new = np.empty(0, dtype=np.int32)
    durable = np.full_like(model.again_after_days, np.inf)
    parts: dict[str, dict[str, object]] = {
        "what goes with the cart": {"complements": none},
        "new arrivals": {"new": no_new},
        "places for what is due": {"blend": replace(model.blend, again=0.0)},
        "waiting until it is due": {"again_after_days": np.where(model.again_rate > 0, 0.0, durable)},
        "repurchase": {"again_rate": np.zeros_like(model.again_rate), "again_after_days": durable},
    }
    scores = {"complements": none, "new": no_new, "blend": replace(model.blend, again=0.0)}
    return {
        SERVED: model,
        **{f"without {part}": replace(model, **changes) for part, changes in parts.items()},  # type: ignore[arg-type]
        ALONE: replace(model, **scores),  # type: ignore[arg-type]
        REFUSED: replace(model, kind=POPULARITY),
    }


def lists(model: RecommenderModel, held_out: Sequence[Visit], rung: Rung = personal_list) -> Lists:
    """What the service would have shown, product ids best first."""
    recommender, trace = Recommender(model), Trace(is_wanted=False)
    return [[proposal.product_id for proposal in rung(recommender, visit.asked, (), trace)] for visit in held_out]


def shown_lists(model: RecommenderModel, held_out: Sequence[Visit]) -> dict[str, Lists]:
    """What it would have shown with the model (SERVED), with each variant of it, and as popularity (POPULAR)."""
    shown = {who: lists(variant, held_out) for who, variant in variants(model).items()}
    return shown | {POPULAR: lists(model, held_out, popular_list)}


def scores(shown: Lists, held_out: Sequence[Visit]) -> NDArray[np.float64]:
    """People x (NDCG, Recall) at COUNT."""
    figures = np.empty((len(held_out), 2))
    for number, (ids, visit) in enumerate(zip(shown, held_out, strict=True)):
        # Whatever was shown has its place for a number; wanted are the places of hits, and numbers of no place.
        hits = [place for place, one in enumerate(ids) if one in visit.wanted]
        wanted = np.array([*hits, *range(COUNT, COUNT + len(visit.wanted) - len(hits))], dtype=np.intp)
        ranked = np.arange(len(ids), dtype=np.intp)
        figures[number] = ndcg(ranked, wanted, COUNT), recall(ranked, wanted, COUNT)
    return figures


def choose_again(
    rows: Interactions, catalogue: ProductCatalogue, settings: FitSettings, start: int, end: int
) -> FitSettings:
    """The share of places for what is due whose lists have the highest mean NDCG in start..end; on a tie the smaller one.

    Raises:
        ModelError: as `visits`.
    """
    model, _ = fit_at(rows, catalogue, settings, start)
    if not (model.again_rate > 0).any():
        return settings
    held_out = visits(rows, catalogue, start, end)
    blends = [replace(settings.blend, again=share) for share in AGAIN]
    values = [float(scores(lists(replace(model, blend=blend), held_out), held_out)[:, 0].mean()) for blend in blends]
    return replace(settings, blend=blends[int(np.argmax(values))])


def list_figures(
    model: RecommenderModel, shown: Mapping[str, Lists], held_out: Sequence[Visit], seed: int
) -> ListFigures:
    """The served list and its variants on the same visits. `shown`: of `shown_lists`."""
    scored = {who: scores(its, held_out) for who, its in shown.items()}
    own = scored[SERVED][:, 0]
    return ListFigures(
        figures={
            who: {name: mean_estimate(values, seed) for name, values in zip(("ndcg", "recall"), one.T, strict=True)}
            for who, one in scored.items()
        },
        gains={who: mean_estimate(own - one[:, 0], seed) for who, one in scored.items() if who != SERVED},
        variety={who: _variety(model, shown[who], held_out) for who in (SERVED, POPULAR)},
        judged=len(held_out),
    )


def _variety(model: RecommenderModel, shown: Lists, held_out: Sequence[Visit]) -> Variety:
    index = {product_id: position for position, product_id in enumerate(model.product_ids)}
    return variety(
        model,
        [np.array([index[one] for one in ids], dtype=np.intp) for ids in shown],
        [np.array([index[one] for one in sorted(visit.wanted)], dtype=np.intp) for visit in held_out],
    )
