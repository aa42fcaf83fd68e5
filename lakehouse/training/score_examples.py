"""Examples of a score from the lake as it stands: of those who may be learned from, at past instants, on the driver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from lakehouse.features.point_in_time import features
from lakehouse.lake.delta import Lake
from lakehouse.models.examples import Compute, CutOffs, Examples, collected, cut_offs, examples, leaking, moments
from lakehouse.training.known_profiles import KnownProfiles

PROFILES = 10_000  # at most, by a hash of the id: a score of two dozen features learns no more from more


@dataclass(frozen=True, kw_only=True)
class Read:
    """versions: Delta version by table. newest_day: the last one with an event, which may not be over. leaking: features that know the future."""

    known: Examples
    cut_offs: CutOffs
    versions: Mapping[str, int]
    newest_day: date
    leaking: tuple[str, ...]


def read_examples(
    lake: Lake, horizon_days: int, *, compute: Compute = features, outcomes: DataFrame | None = None
) -> Read:
    """Of every cut-off that the lake allows. `outcomes`: what is asked for, actor_id and occurred_at; None = orders.

    Raises:
        ModelError: no events, or too short a history.
    """
    people = KnownProfiles(lake, purpose=lake.config.training.scores, most=PROFILES, job="train_scores")
    cuts = cut_offs(people.first_day, people.newest_day, horizon_days)
    if outcomes is not None:
        outcomes = outcomes.join(people.members, on="actor_id", how="inner").select("profile_id", "occurred_at")
    known = (people.activity, people.orders)
    at = moments(people.activity, people.profiles, cuts.all).localCheckpoint(eager=False)
    told = examples(*known, at, horizon_days, compute=compute, outcomes=outcomes).toArrow()
    return Read(
        known=collected(told),
        cut_offs=cuts,
        versions=people.versions,
        newest_day=people.newest_day,
        leaking=leaking(told, *known, cuts.splits[0].test, compute=compute),
    )
