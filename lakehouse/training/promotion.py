"""Whether a new recommender takes the place of the one that reigns. All are judged by the lists people would have seen.

    promoted     its lists are better than popularity's with the whole 95 % interval, and not worse than the champion's: the
                 interval ends above -margin of the champion's NDCG
    stays        anything else: it is worse, or that cannot be told, or its lists are the same
    popularity   where nothing personal reigns that can be judged and the new one does not beat popularity; or where the champion
                 itself is shown to be worse than popularity

The champion is judged as it was when it was trained: fitted on what came before its own test slice (JUDGED, beside its version). The
new test slice begins not before that, so neither has seen a day of it, and both are judged on the same visits.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lakehouse.config import Config
from lakehouse.models.evaluation import Estimate, mean_estimate
from lakehouse.models.registry import RECOMMENDER, champion_file
from lakehouse.recommend import files
from lakehouse.recommend.model import PERSONAL, RecommenderModel
from lakehouse.training.served_lists import COUNT, POPULAR, SERVED, Lists, Visit, lists, scores

JUDGED: Final = "judged.npz"
PROMOTED: Final = "promoted"
STAYS: Final = "stays"


@dataclass(frozen=True, kw_only=True)
class Reigning:
    """A champion that can be judged. `until_ms`: what `model` was fitted on ended before it, UTC milliseconds."""

    version: str
    model: RecommenderModel
    until_ms: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`outcome`: promoted, stays or popularity. Gains are of NDCG, of the new one, paired by person.

    `over_champion`: null where none reigns that can be judged. `worst`: what it may be worse by, 0 or below.
    """

    outcome: str
    over_popularity: Estimate
    champion: str | None = None
    over_champion: Estimate | None = None
    worst: float = 0.0
    is_same: bool = False

    @property
    def reason(self) -> str:
        """One line, for a person."""
        said = f"NDCG@{COUNT} gain over popularity {self.over_popularity}"
        if self.over_champion is not None:
            same = ", the same lists" if self.is_same else ""
            said += f", over champion {self.champion} {self.over_champion} (may be {self.worst:.4f}){same}"
        return said


def reigning(config: Config) -> Reigning | None:
    """The champion in force; None where there is none, it is popularity, or it is of a layout that cannot be judged.

    Raises:
        ModelError: the lake is remote and no tracking URI is set.
    """
    stored = champion_file(config, RECOMMENDER, JUDGED)
    if stored is None:
        return None
    version, parameters, content = stored
    try:
        if parameters["kind"] != PERSONAL:
            return None
        model = files.unpacked(parameters, content)
        return Reigning(version=version, model=model, until_ms=int(parameters["judged_until_ms"]))
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def verdict(
    shown: Mapping[str, Lists],
    champion: Reigning | None,
    held_out: Sequence[Visit],
    *,
    margin: float,
    seed: int,
) -> Verdict:
    """`shown`: SERVED and POPULAR of the new one, of `shown_lists`. `margin`: share of the champion's NDCG it may be worse by."""
    own, popular = shown[SERVED], shown[POPULAR]
    own_ndcg, popular_ndcg = _ndcg(own, held_out), _ndcg(popular, held_out)
    over_popularity = mean_estimate(own_ndcg - popular_ndcg, seed)
    if champion is None:
        return Verdict(outcome=PROMOTED if over_popularity.low > 0 else POPULAR, over_popularity=over_popularity)
    its = lists(champion.model, held_out)
    its_ndcg = _ndcg(its, held_out)
    over_champion = mean_estimate(own_ndcg - its_ndcg, seed)
    worst = -margin * float(its_ndcg.mean())
    its_gain = mean_estimate(its_ndcg - popular_ndcg, seed)
    return Verdict(
        outcome=outcome(over_popularity, over_champion, its_gain, worst=worst, is_same=own == its),
        over_popularity=over_popularity,
        champion=champion.version,
        over_champion=over_champion,
        worst=worst,
        is_same=own == its,
    )


def outcome(
    over_popularity: Estimate, over_champion: Estimate, champions: Estimate, *, worst: float, is_same: bool
) -> str:
    """Where one reigns that can be judged. `champions`: its own gain over popularity."""
    if over_popularity.low > 0 and over_champion.low > worst and not is_same:
        return PROMOTED
    return POPULAR if champions.high < 0 else STAYS


def judged_files(model: RecommenderModel | None) -> Mapping[str, bytes]:
    """What a later training judges this one by, beside its version."""
    return {} if model is None else {JUDGED: files.packed(model)}


def _ndcg(shown: Lists, held_out: Sequence[Visit]) -> NDArray[np.float64]:
    return scores(shown, held_out)[:, 0]
