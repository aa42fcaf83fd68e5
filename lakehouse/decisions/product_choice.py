"""Which products to show, best first. Pure: serving makes its lists here, and so does whoever judges them (lakehouse/training).

Rules that force products put them first, rules that forbid take products or categories out, rules that boost lift them;
models and similarity propose the rest. A product that was bought and is not due again, or cannot be bought, never comes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from lakehouse.decisions.trace import Trace
from lakehouse.recommend.interactions import Interaction
from lakehouse.recommend.proposal import Proposal
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import Rule

_MORE = 3  # times as many proposals as asked for, so that what rules take out does not shorten the list


Propose = Callable[[int], Iterable[Proposal]]  # the most proposals wanted -> proposals, best first


@dataclass(frozen=True, kw_only=True)
class Asked:
    """For whom, where and when a list is made. `actions`, `last_bought`: what is known of the visitor; times UTC milliseconds.

    `viewing`, `category`: of the page. `unavailable`: products that cannot be bought. `explain`: tell what speaks for a product.
    """

    count: int
    now_ms: int
    actions: Sequence[Interaction] = ()
    last_bought: Mapping[str, int] = field(default_factory=dict)
    unavailable: Set[str] = frozenset()
    viewing: str | None = None
    category: str | None = None
    segment: str | None = None
    explain: bool = False

    def is_out(self, product_id: str, model: Recommender | None) -> bool:
        """Whether it may not be shown: bought and not due again, which without a model nothing is; not to be had; in view."""
        if product_id in self.unavailable or product_id == self.viewing:
            return True
        bought_ms = self.last_bought.get(product_id)
        return bought_ms is not None and (model is None or model.is_waiting(product_id, bought_ms, self.now_ms))


def personal_list(model: Recommender, asked: Asked, rules: Sequence[Rule], trace: Trace) -> list[Proposal]:
    """The rung `model`: what speaks for somebody, here and now."""

    def propose(count: int) -> list[Proposal]:
        return model.propose(
            asked.actions,
            now_ms=asked.now_ms,
            viewing=asked.viewing,
            last_bought=asked.last_bought,
            unavailable=asked.unavailable,
            count=count,
            category=asked.category,
            segment=asked.segment,
            explain=asked.explain,
        )

    return recommend(propose, rules, trace, asked=asked, model=model)


def popular_list(model: Recommender | None, asked: Asked, rules: Sequence[Rule], trace: Trace) -> list[Proposal]:
    """The rung `popularity`: what everybody likes; by rules alone where there never was a model."""

    def propose(count: int) -> Iterable[Proposal]:
        if model is None:
            return ()
        return model.propose(
            [],
            now_ms=asked.now_ms,
            last_bought=asked.last_bought,
            unavailable=asked.unavailable,
            count=count,
            category=asked.category,
            is_personal=False,
        )

    return recommend(propose, rules, trace, asked=asked, model=model)


def recommend(
    propose: Propose, rules: Sequence[Rule], trace: Trace, *, asked: Asked, model: Recommender | None
) -> list[Proposal]:
    """At most `asked.count` distinct products. `rules`: those that hold now, strongest first."""
    category_of: Callable[[str], str | None] = (lambda _: None) if model is None else model.category_of
    forbidden = {product for rule in rules if rule.effect == "forbid" for product in rule.products}
    forbidden_categories = {rule.category for rule in rules if rule.effect == "forbid" and rule.category is not None}

    def is_out(product_id: str) -> bool:
        return (
            asked.is_out(product_id, model)
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
    may_be_out = forbidden or forbidden_categories
    wanted = asked.count * _MORE if may_be_out else asked.count + len(items) + 1  # one may be in view
    proposed = [item for item in propose(wanted) if not is_out(item.product_id)]
    for item in _boosted(proposed, rules, category_of, trace):
        items.setdefault(item.product_id, item)
    answer = list(items.values())[: asked.count]
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
