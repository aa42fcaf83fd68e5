"""Rules of the stream that name a destination: decided on in full, and queued as actions, like moments.

Read by a consumer group: what the lane told while nobody ran is decided on later, for as long as the rule says it is worth
it. A candidate that comes again is queued again under the same decision_id, which is done once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakehouse.actions.action import Action
from lakehouse.actions.action_requests import actions_of
from lakehouse.config import Config
from lakehouse.decisions.circumstances import DecisionInputs, circumstances_of
from lakehouse.decisions.decide import OfferRequest, decide
from lakehouse.decisions.offers import Catalogue
from lakehouse.errors import ConfigError
from lakehouse.events.reader import Reader
from lakehouse.experiments.definitions import Experiments
from lakehouse.features.definition import Features
from lakehouse.lane.candidate import Candidate
from lakehouse.rules.book import Rule, RuleBook
from serving.background.people import People
from serving.state.inputs import read_inputs
from serving.state.reloadable import Reloadable
from serving.state.stock import Stock


@dataclass(frozen=True, kw_only=True)
class RuleActions:
    """`emit`: queues an action; returns once the broker has it."""

    config: Config
    reader: Reader
    people: People
    rules: Reloadable[RuleBook]
    offers: Reloadable[Catalogue]
    features: Reloadable[Features]
    experiments: Reloadable[Experiments]
    stock: Stock
    clock: Callable[[], datetime]
    emit: Callable[[Action], None]

    def by_name(self) -> Mapping[str, Rule]:
        """The rules as they are now; none while they were never readable."""
        book = self.rules.current
        return {} if book is None else book.by_name

    def inputs(self) -> DecisionInputs:
        """What decisions of this moment are made from; stock is read anew."""
        self.stock.read()
        return read_inputs(
            self.config,
            rules=self.rules,
            catalogue=self.offers,
            features=self.features,
            experiments=self.experiments,
            stock=self.stock,
        )

    def handle(self, values: Sequence[bytes | None]) -> None:
        """Decide on candidates; nothing is done for those of rules without a destination.

        Raises:
            StoreError: the online store does not answer; to be called again with the same.
            BrokerError: an action was not taken; likewise.
            ConfigError: rules, offers or experiments were never readable; likewise, for candidates wait until they are.
        """
        inputs = self.inputs()
        if inputs.book is None or inputs.catalogue is None or inputs.experiments is None:
            fault = self.rules.fault or self.offers.fault or self.experiments.fault
            raise ConfigError(f"{fault}. Nothing is decided on before it is mended")
        rules = inputs.book.by_name
        decoded = (Candidate.decode(value) for value in values)
        candidates = [candidate for candidate in decoded if candidate is not None and not candidate.is_bot(self.reader)]
        acting = [
            (candidate, rule)
            for candidate in candidates
            if (rule := rules.get(candidate.rule)) is not None and rule.destinations
        ]
        for candidate, rule in acting:
            for action in self._actions(candidate, rule, inputs):
                self.emit(action)

    def _actions(self, candidate: Candidate, rule: Rule, inputs: DecisionInputs) -> list[Action]:
        now = self.clock()
        now_ms = int(now.timestamp() * 1000)
        ranks = self.config.identity.rules
        who = sorted(
            (identifier for identifier in candidate.identifiers if identifier[0] in ranks),
            key=lambda identifier: ranks[identifier[0]].priority,
        )
        if not who or now_ms >= candidate.occurred_ms + rule.valid_for:
            return []
        newest = [entry for _, entry in candidate.entries()]
        visitor = self.people.visitor(who, now, decision_id=candidate.decision_id, newest=newest)
        circumstances = circumstances_of(visitor, inputs, now=now, event=candidate.context())
        if circumstances.is_counted:
            self.people.remember_unit(visitor, now)
        decided = decide(OfferRequest(channel=None, rule=rule.name), circumstances)
        if not decided.ranked:
            return []
        offer, product = decided.ranked[0].offer, candidate.product_id
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
            detail={"rules_version": circumstances.rules_version, "event": candidate.event_name},
            event=candidate.event(),
        )
