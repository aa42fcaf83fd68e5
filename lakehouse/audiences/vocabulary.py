"""What the definition of an audience may read of a profile: columns of gold.activation, as rules may, and declared features. Every word may be null.

No clock: who is in an audience changes when a row does. Time enters by the windows of features, which close without an event.
"""

from collections.abc import Mapping

from lakehouse.features.definition import Feature, Features
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.audiences import IS_KNOWN
from lakehouse.rules.vocabulary import VOCABULARY, Term, Type

FEATURE = "feature"


def words(features: Features) -> Mapping[str, Term]:
    """By name. A name that a column and a feature share is the column's; `unusable` says so."""
    of_features = {one.name: Term(one.name, _type(one), FEATURE, one.description) for one in features.features}
    of_profile = {column.name: VOCABULARY[column.name] for column in GOLD_ACTIVATION.columns if column.term is not None}
    return {**of_features, **of_profile, IS_KNOWN: VOCABULARY[IS_KNOWN]}


def unusable(features: Features) -> Mapping[str, str]:
    """Features that no definition may read, and why not."""
    columns = {*GOLD_ACTIVATION.column_names, IS_KNOWN}
    found = {}
    for one in features.features:
        if one.name in columns:
            found[one.name] = "both a feature and a column of gold.activation, expected one of them. Rename the feature"
        elif _grows(one, features):
            found[one.name] = "grows with the clock, so nobody would leave in time. Declare a count over a window"
        elif one.aggregation == "top_k":
            found[one.name] = "a list of values and counts, which no operator takes. Declare a feature for each value"
    return found


def _grows(feature: Feature, features: Features) -> bool:
    """Whether it says something else at every instant."""
    parts = feature.parts or ()
    return feature.aggregation == "days_since" or any(_grows(features.by_name[name], features) for name in parts)


def _type(feature: Feature) -> Type:
    return feature.value if feature.type in ("string", "timestamp") else "number"
