"""The online features as words of the language of rules: their names, flat like every other word, beside those that are always there."""

from collections.abc import Mapping
from pathlib import Path

from lakehouse.config import Config
from lakehouse.config.paths import EVENTS, FEATURES
from lakehouse.events.declared_properties import read_declared
from lakehouse.feature_book.book import read_features
from lakehouse.features.definition import Features
from lakehouse.rules.vocabulary import VOCABULARY, Term

GROUP = "feature"


def declared_features(config: Config, path: Path = FEATURES) -> Features:
    """The features of the file, over the properties of conf/events.yaml. Raises ConfigError: every fault, a line each."""
    return read_features(path, read_declared(EVENTS, config.privacy))


def rule_words(features: Features) -> Mapping[str, Term]:
    """What rules, and the `when` of offers, may read where these features are declared."""
    own = {one.name: Term(one.name, one.value, GROUP, one.description) for one in features.online}
    return {**VOCABULARY, **own}
