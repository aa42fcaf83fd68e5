"""Which topics a reader reads: by name, and by a pattern that new ones may match while it runs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lakehouse.config import KafkaConfig


@dataclass(frozen=True, slots=True)
class Topics:
    """`pattern`: a regular expression of a whole name; empty = none. `but`: names that are not meant, although it fits them."""

    names: tuple[str, ...]
    pattern: str = ""
    but: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join([*self.names, *([f"those like {self.pattern}"] if self.pattern else [])])

    @property
    def regex(self) -> str:
        """All of them, as Java and Python read it, whole or from the beginning."""
        apart = f"(?!(?:{'|'.join(map(re.escape, self.but))})$)" if self.but else ""
        return f"^{apart}(?:{'|'.join([*map(re.escape, self.names), *([f'(?:{self.pattern})'] if self.pattern else [])])})$"

    def among(self, existing: Iterable[str]) -> tuple[str, ...]:
        """Those of `existing` that are read; Kafka's own never are."""
        return tuple(sorted(name for name in existing if re.match(self.regex, name) and not name.startswith("__")))

    def of_spark(self) -> Mapping[str, str]:
        """The option of Spark's source. It looks for new partitions, and for new topics of the pattern, before each micro-batch."""
        return {"subscribePattern": self.regex} if self.pattern else {"subscribe": ",".join(self.names)}


def event_topics(kafka: KafkaConfig) -> Topics:
    """All that hold events: event documents, and records of the sources they are bound to."""
    names = (kafka.events_topic, *kafka.events_also_from, *kafka.sources)
    return Topics(tuple(dict.fromkeys(names)), kafka.events_pattern)


def document_topics(kafka: KafkaConfig) -> Topics:
    """Those that hold event documents as they are: for who cannot ask a mapping."""
    names = tuple(name for name in event_topics(kafka).names if name not in kafka.sources)
    return Topics(names, kafka.events_pattern, tuple(kafka.sources))
