"""The online features as words of the language of rules: their names, flat like every other word, beside those that are always there."""

from collections.abc import Mapping

from lakehouse.features.definition import Features
from lakehouse.rules.vocabulary import VOCABULARY, Term

GROUP = "feature"


def rule_words(features: Features) -> Mapping[str, Term]:
    """What rules, and the `when` of offers, may read where these features are declared."""
    own = {one.name: Term(one.name, one.value, GROUP, one.description) for one in features.online}
    return {**VOCABULARY, **own}
