"""A recommender and what it was judged by: settings chosen, lists made, the verdict beside popularity and the champion. Pure."""

import dataclasses
from dataclasses import dataclass, replace

from lakehouse.config import RecommenderConfig
from lakehouse.errors import ModelError
from lakehouse.recommend.als import AlsSettings
from lakehouse.recommend.contest import Contest, boundaries, contest
from lakehouse.recommend.interaction_table import Interactions, ProductCatalogue
from lakehouse.recommend.model import POPULARITY, Blend, RecommenderModel
from lakehouse.recommend.training import FitSettings, fit
from lakehouse.training.promotion import STAYS, Reigning, Verdict, verdict
from lakehouse.training.served_lists import (
    POPULAR,
    SERVED,
    ListFigures,
    choose_again,
    list_figures,
    shown_lists,
    visits,
)


@dataclass(frozen=True, kw_only=True)
class JudgedModel:
    """The model that is to be published, what it was judged by, and `as_judged`: itself, fitted before `until_ms`; null = not judged."""

    model: RecommenderModel
    outcome: str
    found: Contest | None = None
    lists: ListFigures | None = None
    ruled: Verdict | None = None
    refusal: str | None = None
    as_judged: RecommenderModel | None = None
    until_ms: int = 0

    def metrics(self) -> dict[str, float]:
        """Of the model's scores (test_), of the lists (list_), of what the lists are like (served_, popularity_)."""
        if self.found is None or self.lists is None or self.ruled is None:
            return {}
        found = self.found
        metrics = {
            f"test_{name}_{who.split()[0]}": one.value for who, of in found.figures.items() for name, one in of.items()
        }
        metrics |= {"test_ndcg_gain": found.gain.value, "test_ndcg_gain_low": found.gain.low}
        for who in (SERVED, POPULAR):
            short = who.split()[0]
            metrics |= {f"list_{name}_{short}": one.value for name, one in self.lists.figures[who].items()}
            like = dataclasses.asdict(self.lists.variety[who])
            metrics |= {f"{short}_{name}": value for name, value in like.items() if value is not None}
        gains = {"popularity": self.ruled.over_popularity, "champion": self.ruled.over_champion}
        for who, gain in gains.items():
            if gain is not None:
                metrics |= {f"list_gain_over_{who}": gain.value, f"list_gain_over_{who}_low": gain.low}
        return metrics


def judged_model(
    rows: Interactions, known: ProductCatalogue, settings: RecommenderConfig, champion: Reigning | None, as_of_ms: int
) -> JudgedModel:
    """What is to be published and whether it serves, or popularity, or what served before."""
    base = _base(settings)
    first, second = boundaries(rows)
    second = max(second, champion.until_ms if champion else second)
    try:
        found, as_judged = contest(rows, known, base, first=first, second=second, as_of_ms=as_of_ms)
        chosen = choose_again(rows, known, found.settings, first, second)
        as_judged = replace(as_judged, blend=chosen.blend)
        test = visits(rows, known, second, as_of_ms + 1)
    except ModelError as error:  # too little to judge by: what everybody likes is known all the same
        popular = replace(fit(rows, known, base, as_of_ms=as_of_ms), kind=POPULARITY)
        return JudgedModel(model=popular, outcome=STAYS if champion else POPULAR, refusal=str(error))
    shown = shown_lists(as_judged, test)
    ruled = verdict(shown, champion, test, margin=settings.margin, seed=settings.seed)
    is_popular = ruled.outcome == POPULAR
    model = fit(rows, known, chosen, as_of_ms=as_of_ms)
    return JudgedModel(
        model=replace(model, kind=POPULARITY) if is_popular else model,
        outcome=ruled.outcome,
        found=found,
        lists=list_figures(as_judged, shown, test, settings.seed),
        ruled=ruled,
        refusal=f"not better than popularity, {ruled.reason}" if is_popular else None,
        as_judged=None if is_popular else as_judged,
        until_ms=second,
    )


def _base(settings: RecommenderConfig) -> FitSettings:
    return FitSettings(
        als=AlsSettings(rank=settings.rank, seed=settings.seed),
        blend=Blend(half_life_days=float(settings.half_life_days)),
        new_days=settings.new_days,
        gone_days=settings.gone_days,
        again_days=settings.again_days,
    )
