"""Which products to show, best first. Pure.

Rules that force products put them first, rules that forbid take products or categories out, rules that boost lift them;
models and similarity propose the rest. A product that was bought, or cannot be bought, never comes.
"""

from collections.abc import Callable, Iterable, Sequence, Set

from lakehouse.decisions.trace import Trace
from lakehouse.recommend.proposal import Proposal
from lakehouse.rules.book import Rule

_MORE = 3  # times as many proposals as asked for, so that what rules take out does not shorten the list


Propose = Callable[[int], Iterable[Proposal]]  # the most proposals wanted -> proposals, best first


def recommend(
    propose: Propose,
    rules: Sequence[Rule],
    trace: Trace,
    *,
    count: int,
    excluded: Set[str],
    category_of: Callable[[str], str | None],
) -> list[Proposal]:
    """At most `count` distinct products. `rules`: those that hold now, strongest first; `excluded`: bought, unavailable."""
    forbidden = {product for rule in rules if rule.effect == "forbid" for product in rule.products}
    forbidden_categories = {rule.category for rule in rules if rule.effect == "forbid" and rule.category is not None}

    def is_out(product_id: str) -> bool:
        return (
            product_id in excluded
            or product_id in forbidden
            or (bool(forbidden_categories) and category_of(product_id) in forbidden_categories)
        )

    items: dict[str, Proposal] = {}
    for rule in rules:
        if rule.effect in ("force", "propose"):
            for product_id in rule.products:
                if is_out(product_id):
                    trace.add("rule", f"{rule.name} wants it, but it is excluded", product_id)
                else:
                    items.setdefault(product_id, Proposal(product_id=product_id, score=1.0, reason=f"rule {rule.name}"))
    for product_id in sorted(forbidden):
        trace.add("rule", "forbidden", product_id)
    for category in sorted(forbidden_categories):
        trace.add("rule", "category forbidden", category)
    wanted = count * _MORE if forbidden or forbidden_categories else count + len(items)
    proposed = [item for item in propose(wanted) if not is_out(item.product_id)]
    for item in _boosted(proposed, rules, category_of, trace):
        items.setdefault(item.product_id, item)
    answer = list(items.values())[:count]
    for item in answer:
        cause = "" if item.because is None else f" because of {item.because}"
        trace.add("model", f"{item.reason}{cause}, score {item.score:.4f}", item.product_id)
    return answer


def _boosted(
    proposed: list[Proposal], rules: Sequence[Rule], category_of: Callable[[str], str | None], trace: Trace
) -> list[Proposal]:
    boosts = [rule for rule in rules if rule.effect == "boost" and (rule.products or rule.category is not None)]
    if not boosts:
        return proposed
    lifted = []
    for item in proposed:
        score, reason = item.score, item.reason
        for rule in boosts:
            if item.product_id in rule.products or (
                rule.category is not None and category_of(item.product_id) == rule.category
            ):
                score, reason = score * rule.weight, f"{item.reason}, rule {rule.name}"
                trace.add("rule", f"{rule.name} boosts by {rule.weight}", item.product_id)
        lifted.append(Proposal(product_id=item.product_id, score=score, reason=reason, because=item.because))
    return sorted(lifted, key=lambda item: (-item.score, item.product_id))
