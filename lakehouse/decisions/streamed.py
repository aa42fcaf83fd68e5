"""What a rule that the stream proposes is decided with: it has chosen, and only others that forbid can still object. Pure."""

from collections.abc import Mapping, Sequence

from lakehouse.decisions.decide import CERTAIN, Explored
from lakehouse.rules.book import Rule, RuleBook
from lakehouse.rules.evaluate import Values


def rules_with(book: RuleBook, rule: Rule, context: Values) -> Sequence[Rule]:
    """`context`: prepared."""
    return [other for other in book.matching(context) if other.effect == "forbid"] + [rule]


def certain(worths: Mapping[str, float], context: Mapping[str, object]) -> Explored:
    """The explorer of a choice that is made."""
    return Explored(first=next(iter(worths)), propensity=CERTAIN, chances=dict.fromkeys(worths, 1.0))
