"""What conf/events.yaml and conf/sources declare of how records are read, conf/audiences.yaml of who is meant."""

from lakehouse.audiences.book import AudienceBook, read_audiences
from lakehouse.config import Config
from lakehouse.config.paths import AUDIENCES, EVENTS, SOURCES
from lakehouse.events.declared_properties import read_declared
from lakehouse.events.event_rows import Declarations
from lakehouse.events.tracking_plan import read_plan
from lakehouse.features.definition import Features


def declarations(config: Config) -> Declarations:
    """Raises ConfigError: every fault of a file, a line each."""
    properties, plan = read_declared(EVENTS, config.privacy), read_plan(EVENTS)
    if not config.kafka.sources:
        return Declarations(properties=properties, plan=plan)
    from lakehouse.sources.topic_sources import topic_sources  # with a parser of expressions, for who binds a topic

    return Declarations(properties=properties, plan=plan, documents=topic_sources(config, SOURCES))


def declared_audiences(config: Config, features: Features) -> AudienceBook:
    """The audiences of conf/audiences.yaml, over these features. Raises ConfigError: every fault of the file, a line each."""
    return read_audiences(AUDIENCES, features, config.consent.purposes)
