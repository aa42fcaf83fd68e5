"""Which champions gold was made by, and whether scores are corrected by groups in it, so that another one, or another fairness.corrects, is noticed."""

from collections.abc import Mapping, Sequence

import pyarrow.compute as pc
from pyspark.sql import functions as F

from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ChampionModels, ProfileTable
from lakehouse.profiles.declared_scores import SCORES
from lakehouse.profiles.gold.scores import GOLD_SCORES
from lakehouse.profiles.gold.segments import GOLD_SEGMENTS

_CORRECTS = "_applied_correction"  # a file of the lake: fairness.corrects as of the last time that all of gold was by it; none = empty


class AppliedModels:
    """Of one lake. The tables are read once; then it is told."""

    def __init__(self, lake: Lake, champions: ChampionModels) -> None:
        self._lake, self._champions = lake, champions
        self._versions: Mapping[str, str] | None = None  # None = nobody has looked
        self._corrects = ""

    def are_old(self) -> bool:
        """Whether gold holds what another champion has said, a score whose champion was withdrawn, or one that is corrected otherwise: then every profile is due."""
        self._champions.refresh()
        if self._versions is None:
            self._versions = versions_in(self._lake)
            self._corrects = stamp.read(self._lake.root, _CORRECTS, self._lake.spark) or ""
        if self._corrects != self._lake.config.fairness.corrects:
            return True
        applied, absent = self._versions, self._champions.absent
        is_newer = any(applied.get(name) != version for name, version in self._champions.versions.items())
        return is_newer or any(score.model in applied and score.model in absent for score in SCORES)

    def renew(self) -> None:
        """All of gold is by the champions of now."""
        self._versions = self._champions.versions
        if self._corrects != self._lake.config.fairness.corrects:
            self._corrects = note_correction(self._lake)


def note_correction(lake: Lake) -> str:
    """All of gold is corrected as the configuration says, which is given back."""
    corrects = lake.config.fairness.corrects
    stamp.restamp(lake.root, _CORRECTS, corrects, lake.spark)
    return corrects


def versions_in(lake: Lake) -> dict[str, str]:
    """Versions that gold holds, by model; a model is left out where gold holds none or more than one version of it."""
    of_scores = {score.model: score.version_column for score in SCORES if score.trained_by}
    found = {"segments": _held(lake, GOLD_SEGMENTS, ["model_version"])["model_version"]}
    in_columns = _held(lake, GOLD_SCORES, list(of_scores.values()))
    found |= {model: in_columns[column] for model, column in of_scores.items()}
    only = {model: next(iter(values)) for model, values in found.items() if len(values) == 1}
    return {model: version for model, version in only.items() if version is not None}


def _held(lake: Lake, table: ProfileTable, columns: Sequence[str]) -> dict[str, set[str | None]]:
    """What each column says in the rows that hold now, two values at least where it says several.

    On this machine it is read without Spark, which takes longer to plan that than a column of a million takes to read.
    """
    also = ["valid_to"] if table.has_history else []
    if not lake.uses_delta_rs:
        rows = lake.read(table).where(F.col("valid_to").isNull()) if also else lake.read(table)
        return {column: {row[0] for row in rows.select(column).distinct().limit(2).collect()} for column in columns}
    held: dict[str, set[str | None]] = {column: set() for column in columns}
    for batch in lake.batches(table, columns=[*columns, *also]):
        now = batch.filter(pc.is_null(batch["valid_to"])) if also else batch
        for column in columns:
            held[column].update(pc.unique(now[column]).to_pylist())
    return held
