"""An import that did not end: how far each of its files came, so that one that was killed goes on from there.

A mark saves asking for every record before it. It is put once the broker has all that was handed over before, and it counts only while nobody can doubt
that it is still there: the topic is the same, and has dropped nothing since the import began; the source is declared as it was; and the file says the
same up to there, whatever it is called (lakehouse/sources/history.py). Else every record is asked for, as without a mark. An import that ends leaves none:
the next one asks for every record, because a mended mapping, or a newer Stitchlake, may make an event of what was none.
"""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.config import Config
from lakehouse.imports.table_import import FOLDER
from lakehouse.kafka import admin
from lakehouse.kafka.topics import Topics
from lakehouse.lake import stamp
from lakehouse.sources.history import Mark
from lakehouse.sources.source import Source

_EVERY_SECONDS = 5.0  # between two writings of how far it has come


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What marks rest on. topic: the id that the broker gave it; None of a broker that gives none. ends: of its partitions, when the import began. declared: a digest of the source."""

    topic: str | None
    ends: dict[str, int]
    declared: str

    @classmethod
    def of(cls, source: Source, config: Config) -> "Ground":
        """As of now. Raises BrokerError."""
        name, topics = config.kafka.events_topic, Topics((config.kafka.events_topic,))
        return cls(
            topic=admin.topic_ids(config.kafka, topics)[name],
            ends=admin.end_offsets(config.kafka, topics)[name],
            declared=hashlib.blake2b(source.declaration.model_dump_json().encode(), digest_size=16).hexdigest(),
        )

    def bears(self, now: "Ground", held_from: dict[str, int]) -> bool:
        """Whether all that was handed over since is there: `held_from` says where each partition begins now."""
        is_same = self.topic is not None and (self.topic, self.declared) == (now.topic, now.declared)
        return is_same and all(begin <= self.ends.get(partition, 0) for partition, begin in held_from.items())


class BegunImport:
    """The marks of one import; of a source there is one at a time."""

    def __init__(
        self, root: str, source: str, spark: SparkSession | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`spark`: of a remote lake, whose files it writes."""
        self._place = (f"{root}/{FOLDER}", f"{source}.begun.json")
        self._spark = spark
        self._clock = clock
        self._written_at = clock()
        self._marks: dict[str, Mark] = {}
        self._ground = Ground(topic=None, ends={}, declared="")

    def go_on(self, now: Ground, held_from: dict[str, int]) -> None:
        """Take up the marks of an earlier try, where they still count."""
        self._ground, text = now, stamp.read(*self._place, self._spark)
        if text is None:
            return
        told = json.loads(text)
        ground = Ground(**told["ground"])
        if ground.bears(now, held_from):
            self._ground, self._marks = ground, {file: Mark(*mark) for file, mark in told["marks"].items()}

    def of(self, file: Path) -> Mark | None:
        return self._marks.get(str(file.absolute()))

    def put(self, file: Path, mark: Mark) -> None:
        self._marks[str(file.absolute())] = mark

    def acknowledged(self) -> None:
        """The broker has all that was handed over. Written now and then."""
        if self._clock() - self._written_at < _EVERY_SECONDS:
            return
        text = json.dumps({"ground": dataclasses.asdict(self._ground), "marks": self._marks})
        stamp.restamp(*self._place, text, self._spark)
        self._written_at = self._clock()

    def ended(self) -> None:
        """Nothing is left to go on with."""
        stamp.unstamp(*self._place, self._spark)
