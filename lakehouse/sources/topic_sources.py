"""Which source's mapping reads the records of which topic, by kafka.sources. Any other topic holds event documents as they are."""

from pathlib import Path

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.sources.declaration import Bound, bound_declarations
from lakehouse.sources.record import canonical
from lakehouse.sources.source import Source, event_document


class TopicSources:
    """Makes documents of records. Thread-safe; pickled as what was declared, so that Spark's workers need no file."""

    def __init__(self, bound: Bound, config: Config) -> None:
        """`bound`: by topic the name of its source, and what that declares. Raises ConfigError: every fault of one, a line each."""
        self._bound = bound
        self._config = config
        self._sources = {topic: Source.declared(*source, config) for topic, source in bound.items()}

    def __reduce__(self) -> tuple[type["TopicSources"], tuple[Bound, Config]]:
        return TopicSources, (self._bound, self._config)

    def document(self, topic: str, value: bytes | None) -> bytes | None:
        """The event document of a record, as JSON; of a topic that is bound to no source, the record itself. No record makes it fail.

        Raises:
            RegistryError, ConfigError: as `Source.message`.
        """
        source = self._sources.get(topic)
        return value if source is None or value is None else canonical(event_document(source, value))


def topic_sources(config: Config, folder: Path) -> TopicSources:
    """What the configuration binds, by the files of a folder.

    Raises:
        ConfigError: a source is not declared, or its file has faults.
    """
    bound = bound_declarations(config.kafka.sources, folder)
    for topic, (name, of_topic) in bound.items():
        if of_topic.format.type is not None and not config.schema_registry.url:
            raise ConfigError(
                f"schema_registry.url: got nothing, expected the address of a registry: the source '{name}' of topic '{topic}' is of "
                f"{of_topic.format.type}. Set STITCHLAKE__SCHEMA_REGISTRY__URL"
            )
    return TopicSources(bound, config)
