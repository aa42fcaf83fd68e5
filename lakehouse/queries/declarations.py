"""What conf/events.yaml and conf/sources declare of how records are read."""

from lakehouse.config import Config
from lakehouse.config.paths import EVENTS, SOURCES
from lakehouse.events.declared_properties import read_declared
from lakehouse.events.event_rows import Declarations
from lakehouse.sources.topic_sources import topic_sources


def declarations(config: Config) -> Declarations:
    """Raises ConfigError: every fault of a file, a line each."""
    documents = topic_sources(config, SOURCES)
    return Declarations(properties=read_declared(EVENTS, config.privacy), documents=documents or None)
