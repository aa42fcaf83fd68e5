"""Files of a source to the events topic: what is not known yet, by processes that draft it, from where a try of before was killed, beside a stream."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.config import Config
from lakehouse.imports.begun_import import BegunImport, Ground
from lakehouse.imports.beside_stream import BesideStream
from lakehouse.kafka import admin, broker
from lakehouse.kafka.produce import produce
from lakehouse.kafka.topics import Topics
from lakehouse.lake.checkpoint import OF_EVENTS, reached_here
from lakehouse.machine import local_folder
from lakehouse.sources.drafting_processes import drafting_processes
from lakehouse.sources.history import Progress, Tally, messages
from lakehouse.sources.known_messages import KnownMessages
from lakehouse.sources.source import Source

Tell = Callable[[str], None]


class Trial:
    """Sends nothing; a lake that is not there yet knows nothing, and neither does a broker that is not there."""

    def __init__(self, config: Config, tell: Tell) -> None:
        has_broker = admin.answers(broker.cluster(config))
        config = broker.reachable(config) if has_broker else config
        self._known = KnownMessages.of(config, has_broker=has_broker)
        self._progress = Progress(tell)

    def send(self, files: Sequence[Path], source: Source) -> Tally:
        """What would become of the records."""
        tally = Tally()
        with drafting_processes(source) as draft:
            for _ in messages(files, source, self._known, tally, self._progress, draft=draft):
                pass
        return tally


class Sending:
    """What is known is asked once: what was sent is known from then on. `spark`: of a remote lake. `per_second`: messages, None = as many as the stream lets in."""

    def __init__(
        self, config: Config, source: Source, spark: SparkSession | None, tell: Tell, *, per_second: float | None
    ) -> None:
        config = broker.reachable(config)
        kafka = config.kafka
        admin.create_topic(kafka, kafka.events_topic, kafka.partitions)
        self._kafka = kafka
        self._every = config.imports.beside_stream
        self._per_second = per_second
        self._progress = Progress(tell)
        self._begun = BegunImport(config.lake.root, source.name, spark)
        topics = Topics((kafka.events_topic,))
        self._begun.go_on(Ground.of(source, config), admin.first_offsets(kafka, topics)[kafka.events_topic])
        self._known = KnownMessages.of(config)
        folder = local_folder(config.lake.root)
        self._beside = BesideStream(
            lambda: None if folder is None else reached_here(folder / "_checkpoints" / OF_EVENTS, "offsets"),
            lambda: admin.end_offsets(kafka, topics),
            tell,
        )

    def send(self, files: Sequence[Path], source: Source) -> Tally:
        """What became of the records; the broker has what was sent. `source`: as it fills what these files say nothing of."""
        tally = Tally()
        with drafting_processes(source) as draft:
            produce(
                messages(files, source, self._known, tally, self._progress, draft=draft, marks=self._begun),
                self._kafka,
                self._kafka.events_topic,
                on_progress=lambda _: None,
                on_acknowledged=self._acknowledged,
                acknowledged_every=self._every,
                per_second=self._per_second,
            )
        self._begun.acknowledged()
        return tally

    def ended(self) -> None:
        """All files were sent."""
        self._begun.ended()

    def _acknowledged(self, _: int) -> None:
        self._begun.acknowledged()
        self._beside.wait()
