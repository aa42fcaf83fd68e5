"""The rule book as the lane sees it: the rules that wait for an event."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from lakehouse.lane.projection import LaneRule
from lakehouse.lane.query import LaneRules
from lakehouse.rules.book import read_rules
from lakehouse.rules.vocabulary import VOCABULARY, Term


def lane_rules(path: Path, words: Mapping[str, Term] = VOCABULARY) -> LaneRules:
    """Read and check the file. `words`: what a rule may read.

    Raises:
        ConfigError: one line for every fault found.
    """
    book = read_rules(path, words=words)
    rules = [
        LaneRule(name=rule.name, events=rule.events, expression=book.expressions[rule.name])
        for rule in book.of_the_stream()
    ]
    return LaneRules(rules=rules, version=book.version)


def text_version(path: Path) -> str:
    """Another text for another content of the file, and for a file that is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
