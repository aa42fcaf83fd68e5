"""Rules of the stream that name a destination: decided on in full, and queued as actions, like moments.

Read by a consumer group: what the lane told while nobody ran is decided on later, for as long as the rule says it is worth
it. A candidate that comes again is queued again under the same decision_id, which is done once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakehouse.actions.action import Action
from lakehouse.actions.asked import actions_of
from lakehouse.config import Config
from lakehouse.decisions.decide import Decided, decide
from lakehouse.decisions.eligibility import Circumstances
from lakehouse.decisions.exposures import rule_cap
from lakehouse.decisions.offers import Catalogue
from lakehouse.decisions.streamed import certain, rules_with
from lakehouse.decisions.trace import Trace
from lakehouse.decisions.visitor import Visitor, context_of
from lakehouse.errors import ConfigError
from lakehouse.experiments.definitions import Experiments
from lakehouse.lane.candidate import Candidate
from lakehouse.rules.book import Rule, RuleBook
from serving.background.send_permission import People
from serving.deciding.stock import Stock
from serving.reloading import Reloading


@dataclass(frozen=True, kw_only=True)
class RuleActions:
    """`emit`: queues an action; returns once the broker has it."""

    config: Config
    people: People
    rules: Reloading[RuleBook]
    offers: Reloading[Catalogue]
    experiments: Reloading[Experiments]
    stock: Stock
    clock: Callable[[], datetime]
    emit: Callable[[Action], None]

    def by_name(self) -> Mapping[str, Rule]:
        book = self.rules.current
        return {} if book is None else book.by_name

    def handle(self, values: Sequence[bytes | None]) -> None:
        """Decide on candidates; nothing is done for those of rules without a destination.

        Raises:
            StoreError: the online store does not answer; to be called again with the same.
            BrokerError: an action was not taken; likewise.
            ConfigError: rules or offers were never readable; likewise, for candidates wait until they are.
        """
        book, catalogue = self.rules.current, self.offers.current
        if book is None or catalogue is None:
            raise ConfigError(f"{self.rules.fault or self.offers.fault}. Nothing is decided on before it is mended")
        found = [one for value in values if (one := Candidate.decode(value)) is not None]
        acting = [
            (one, rule) for one in found if (rule := book.by_name.get(one.rule)) is not None and rule.destinations
        ]
        if acting:
            self.stock.read()
        for candidate, rule in acting:
            for action in self._actions(candidate, rule, book, catalogue):
                self.emit(action)

    def _actions(self, candidate: Candidate, rule: Rule, book: RuleBook, catalogue: Catalogue) -> list[Action]:
        now = self.clock()
        now_ms = int(now.timestamp() * 1000)
        ranks = self.config.identity.rules
        who = sorted((one for one in candidate.identifiers if one[0] in ranks), key=lambda one: ranks[one[0]].priority)
        if not who or now_ms >= candidate.occurred_ms + rule.valid_for:
            return []
        newest = [entry for _, entry in candidate.entries()]
        visitor = self.people.visitor(who, now, decision_id=candidate.decision_id, newest=newest)
        context = context_of(visitor, {}, now=now, event=candidate.context())
        if not book.holds(rule, context) or rule_cap(rule, visitor.recent.exposures, now) is not None:
            return []
        decided = self._decide(visitor, rule, book, catalogue, context, now)
        if not decided.ranked:
            return []
        offer, product = decided.ranked[0].offer, candidate.event["product_id"]
        return actions_of(
            rule,
            rule.name,
            "rule",
            decision_id=candidate.decision_id,
            who=who,
            purpose=offer.purpose,
            offer=offer.name,
            items=() if product is None else (product,),
            due_ms=candidate.occurred_ms,
            now_ms=now_ms,
            detail={"rules_version": book.version, "event": candidate.event["event_name"]},
        )

    def _decide(
        self,
        visitor: Visitor,
        rule: Rule,
        book: RuleBook,
        catalogue: Catalogue,
        context: dict[str, object],
        now: datetime,
    ) -> Decided:
        experiments = self.experiments.current
        is_held_out = experiments is not None and experiments.held_out(visitor.unit) is not None
        seen = Circumstances(
            now=now,
            channel=None,
            context=context,
            shown=visitor.recent.exposures,
            unavailable=self.stock.unavailable,
            consent=visitor.consent(assumed=self.config.consent.assumed),
        )
        silence = "suppressed" if visitor.is_suppressed else "held out" if is_held_out else None
        rules, trace = rules_with(book, rule, context), Trace(is_wanted=False)
        return decide(catalogue, rules, seen, certain, trace, only=(rule.offer or "",), silence=silence)
