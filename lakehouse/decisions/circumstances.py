"""Who is decided on and under what, put together in one place. Pure. Whether anything may leave is asked of gate.py.

Every decision begins here, whoever asks: the API, the lane's pushes, the destinations. None of them reads rules, arms,
consent or stock for itself, so none of them can forget one.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from lakehouse.consent.defaults import Defaults
from lakehouse.decisions.exposures import Shown
from lakehouse.decisions.offers import Catalogue
from lakehouse.decisions.visitor import Visitor, context_of, features_of
from lakehouse.experiments.definitions import HOLDOUT, Arm, Experiments
from lakehouse.features.definition import NO_FEATURES, Features
from lakehouse.rules.book import Rule, RuleBook

NO_RULES = "rules: none could be read"
NO_EXPERIMENTS = "experiments: none could be read"


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionInputs:
    """What holds for everybody alike. `None`: it was never readable.

    unavailable: product ids that cannot be bought. consent: the declared purposes, and what holds where nobody was asked. features: those that are declared.
    """

    catalogue: Catalogue | None
    book: RuleBook | None
    experiments: Experiments | None
    unavailable: Set[str]
    consent: Defaults
    features: Features = NO_FEATURES


class Circumstances(NamedTuple):
    """Who is decided on, and under what. Made by `circumstances_of`.

    now: UTC.
    context: the vocabulary of rules, filled and prepared.
    features: the online features of the person, now.
    catalogue: None while none was readable.
    rules: those that hold now, strongest first.
    arms: experiment -> arm, of the experiments that run; empty where the person cannot be looked up.
    held_out: why no experiment and no offer may reach this person; None = it may.
    unavailable: product ids that cannot be bought.
    consent: purpose -> whether it is allowed. Every declared purpose is there.
    holdout_arm: held_out or served, what the read-out compares; None = there is no holdout, or nobody can say.
    is_counted: whether some experiment or holdout asks as whom the person counts: it must then stay so.
    missing: what could not be read of visitor, rules and experiments, in words.
    """

    visitor: Visitor
    now: datetime
    context: Mapping[str, object]
    catalogue: Catalogue | None
    rules: Sequence[Rule]
    rules_version: str
    arms: Mapping[str, Arm]
    held_out: str | None
    unavailable: Set[str]
    consent: Mapping[str, bool]
    features: Mapping[str, object] = MappingProxyType({})
    holdout_arm: str | None = None
    is_counted: bool = False
    missing: tuple[str, ...] = ()

    @property
    def shown(self) -> Shown:
        """What this person was shown, and when."""
        return self.visitor.recent.exposures

    @property
    def arm_names(self) -> dict[str, str]:
        """Experiment -> name of the arm."""
        return {experiment: arm.name for experiment, arm in self.arms.items()}

    @property
    def logged_arms(self) -> dict[str, str]:
        """What the decision log says the person was in: the arms, and on which side of the holdout."""
        return self.arm_names | ({} if self.holdout_arm is None else {HOLDOUT: self.holdout_arm})

    @property
    def is_greedy(self) -> bool:
        """An experiment lets nothing be explored for this person."""
        return any(arm.offers == "greedy" for arm in self.arms.values())


def circumstances_of(
    visitor: Visitor,
    inputs: DecisionInputs,
    *,
    now: datetime,
    here: Mapping[str, Any] | None = None,
    event: Mapping[str, Any] | None = None,
    segment: str | None = None,
) -> Circumstances:
    """Put together what a decision about the visitor is made from. `here`, `event`, `segment`: see `context_of`."""
    features = features_of(visitor.profile, inputs.features, now)
    context = context_of(visitor, here or {}, now=now, event=event, segment=segment, features=features)
    book = inputs.book
    # Whose first name cannot be read might be counted as somebody else: they are in no experiment now.
    experiments = None if visitor.missing else inputs.experiments
    unread = [NO_RULES] if book is None else []
    unread += [NO_EXPERIMENTS] if inputs.experiments is None else []
    return Circumstances(
        visitor=visitor,
        now=now,
        context=context,
        catalogue=inputs.catalogue,
        rules=() if book is None else book.matching(context),
        rules_version="none" if book is None else book.version,
        arms={} if experiments is None else experiments.assign(visitor.unit, now),
        held_out=None if experiments is None else experiments.held_out(visitor.unit),
        unavailable=inputs.unavailable,
        consent=visitor.consent(inputs.consent),
        features=features,
        holdout_arm=None if experiments is None else experiments.holdout_arm(visitor.unit),
        is_counted=experiments is not None and visitor.identifier is not None and experiments.ask(now),
        missing=(*visitor.missing, *unread),
    )


def inputs_at_rest(experiments: Experiments | None, *, consent: Defaults) -> DecisionInputs:
    """All that `circumstances_at_rest` looks at of them."""
    return DecisionInputs(
        catalogue=None,
        book=None,
        experiments=experiments,
        unavailable=frozenset(),
        consent=consent,
    )


def circumstances_at_rest(visitor: Visitor, inputs: DecisionInputs, *, now: datetime) -> Circumstances:
    """Of somebody nothing is offered to now: only whether they may be told of is asked, and no rule, no stock and no context is looked at.

    For exports, whose rows are many; what the gate asks of a person is what `circumstances_of` makes.
    """
    experiments = None if visitor.missing else inputs.experiments
    return Circumstances(
        visitor=visitor,
        now=now,
        context={},
        catalogue=None,
        rules=(),
        rules_version="none",
        arms={} if experiments is None else experiments.assign(visitor.unit, now),
        held_out=None if experiments is None else experiments.held_out(visitor.unit),
        unavailable=inputs.unavailable,
        consent=visitor.consent(inputs.consent),
        missing=(*visitor.missing, *([NO_EXPERIMENTS] if inputs.experiments is None else [])),
    )
