"""What conf/events.yaml and conf/sources declare of how records are read."""

from lakehouse.config import Config
from lakehouse.config.paths import EVENTS, SOURCES
from lakehouse.events.declared_properties import read_declared
from lakehouse.events.event_rows import Declarations
from lakehouse.events.tracking_plan import read_plan
from lakehouse.sources.topic_sources import topic_sources


def declarations(config: Config) -> Declarations:
    """Raises ConfigError: every fault of a file, a line each."""
    documents = topic_sources(config, SOURCES)
    properties = read_declared(EVENTS, config.privacy)
    return Declarations(properties=properties, plan=read_plan(EVENTS), documents=documents or None)
