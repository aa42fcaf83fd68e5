"""Which champions gold was made by, so that a new one is noticed."""

from collections.abc import Mapping

from pyspark.sql import functions as F

from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ChampionModels
from lakehouse.profiles.declared_scores import SCORES
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS


class AppliedModels:
    """Of one lake. The tables are read once; then it is told."""

    def __init__(self, lake: Lake, champions: ChampionModels) -> None:
        self._lake, self._champions = lake, champions
        self._versions: Mapping[str, str] | None = None  # None = nobody has looked

    def are_old(self) -> bool:
        """Whether gold holds what another champion has said, or a score whose champion was withdrawn: then every profile is due."""
        self._champions.refresh()
        if self._versions is None:
            self._versions = versions_in(self._lake)
        applied, absent = self._versions, self._champions.absent
        is_newer = any(applied.get(name) != version for name, version in self._champions.versions.items())
        return is_newer or any(score.model in applied and score.model in absent for score in SCORES)

    def renew(self) -> None:
        """All of gold is by the champions of now."""
        self._versions = self._champions.versions


def versions_in(lake: Lake) -> dict[str, str]:
    """Versions that gold holds, by model; a model is left out where gold holds none or more than one version of it."""
    open_segments = lake.read(GOLD_SEGMENTS).where(F.col("valid_to").isNull())
    scores = lake.read(GOLD_SCORES)
    columns = {"segments": open_segments.select("model_version")}
    columns |= {score.model: scores.select(score.version_column) for score in SCORES if score.trained_by}
    versions = {model: column.distinct().limit(2).collect() for model, column in columns.items()}  # at most two rows
    return {model: rows[0][0] for model, rows in versions.items() if len(rows) == 1 and rows[0][0] is not None}
