"""Which models learned from somebody who was erased since, and when each is learned anew. Reads the registry, and changes nothing.

A version learned from them where it read a table of theirs at a commit before the one by which they were gone from it. Nothing is unlearned: the next training finds
nobody any more.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lakehouse.config import Config
from lakehouse.errors import ModelError
from lakehouse.models import aliases
from lakehouse.models.aliases import Version
from lakehouse.models.registry import TRAINED_BY, has_registry
from lakehouse.schedule.declaration import Schedule
from lakehouse.schedule.runner import trigger


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A version that learned from `people` of them. aliases: champion, challenger; none = it is kept, and speaks if it is promoted or rolled back to.

    job: what trains the model; None = nothing of ours. next_training: None = no schedule runs it.
    """

    model: str
    version: str
    aliases: tuple[str, ...]
    people: int
    job: str | None
    next_training: datetime | None

    def told(self) -> dict[str, Any]:
        """JSON-ready."""
        when = None if self.next_training is None else self.next_training.astimezone(UTC).isoformat()
        return {**dataclasses.asdict(self), "next_training": when}

    def line(self) -> str:
        """For a person."""
        who = f"{self.people} {'person' if self.people == 1 else 'people'} erased since"
        place = ", ".join(self.aliases) or "kept"
        if self.job is None:
            return f"{self.model} {self.version} ({place}) learned from {who}; nothing of ours trains it"
        when = f"next at {self.next_training:%Y-%m-%d %H:%M %Z}" if self.next_training else "which no schedule runs"
        return f"{self.model} {self.version} ({place}) learned from {who}; learned anew by {self.job}, {when}"


def learned(config: Config, receipts: Iterable[Mapping[str, Any]], schedule: Schedule, now: datetime) -> list[Learned]:
    """By model, the newest version first. `receipts`: rows of ops.erasures.

    Raises:
        ModelError: the registry does not answer.
    """
    told = list(receipts)
    if not told or not has_registry(config):
        return []
    from mlflow.exceptions import MlflowException

    try:
        versions = list(aliases.versions(config))
    except MlflowException as error:
        raise ModelError(
            f"registry: got no answer ({error.message}), expected the models. Try again: person models"
        ) from error
    return list(_learned(versions, told, schedule, now))


def _learned(
    versions: Iterable[Version], receipts: list[Mapping[str, Any]], schedule: Schedule, now: datetime
) -> Iterator[Learned]:
    for one in versions:
        people = sum(_has_learned(one, receipt) for receipt in receipts)
        if people:
            job = TRAINED_BY.get(one.model)
            yield Learned(
                model=one.model,
                version=one.number,
                aliases=one.aliases,
                people=people,
                job=job,
                next_training=_next_run(job, schedule, now),
            )


def _has_learned(version: Version, receipt: Mapping[str, Any]) -> bool:
    """Of a receipt without commits, and of a version that does not say what it read, by time: rather one too many."""
    counts, commits = json.loads(receipt["counts"]), json.loads(receipt["commits"] or "{}")
    if not any(counts.values()):
        return False
    if not (version.snapshot and commits):
        written: datetime = receipt["written_at"]
        return version.registered_at < written
    return any(counts.get(table) and commit < commits.get(table, 0) for table, commit in version.snapshot.items())


def _next_run(job: str | None, schedule: Schedule, now: datetime) -> datetime | None:
    """A run with arguments may train nothing: it is not counted on."""
    runs = (
        trigger(one, schedule.zone).get_next_fire_time(None, now)
        for one in schedule.jobs
        if one.job == job and not one.arguments
    )
    return min((run for run in runs if run is not None), default=None)
