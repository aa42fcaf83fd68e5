"""What the process holds, passed to whatever answers: the edge of the decision service, made once in `__main__`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse.config import Config
from lakehouse.config.keys import Keyring
from lakehouse.decisions.circumstances import DecisionInputs
from lakehouse.decisions.offers import Catalogue
from lakehouse.events.reader import Reader
from lakehouse.experiments.definitions import Experiments
from lakehouse.features.definition import Features
from lakehouse.online.store import OnlineStore
from lakehouse.recommend.recommender import Recommender
from lakehouse.rules.book import RuleBook
from serving.kafka.outbox import Outbox
from serving.kafka.producer import KafkaOut
from serving.state.inputs import read_inputs
from serving.state.last_answers import LastAnswers
from serving.state.learned_policy import LearnedPolicy
from serving.state.meters import Meters
from serving.state.page_tokens import PageTokens
from serving.state.pressure import Pressure
from serving.state.profile_reads import ProfileReads
from serving.state.rates import Rates
from serving.state.reloadable import Reloadable
from serving.state.running_experiments import Starts
from serving.state.sns_certificates import SnsCertificates
from serving.state.sockets import Sockets
from serving.state.stock import Stock
from serving.state.tokens import Tokens
from serving.state.webhook_doors import WebhookDoor
from serving.telemetry import Span
from serving.visitors.pending import Pending
from serving.visitors.profile_changes import Changes
from serving.visitors.visitors import Visitors


@dataclass(slots=True)
class Counters:
    """Since the process began; shown by /api/status."""

    degraded: int = 0
    events: int = 0
    outcomes: int = 0
    by_rung: dict[str, int] = field(default_factory=lambda: {"model": 0, "cached": 0, "popularity": 0})

    @property
    def decisions(self) -> int:
        """Of every rung."""
        return sum(self.by_rung.values())


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything an answer is made from.

    store, pending: a cache of gold and of what just happened, and what waits to be written to it. kept, facts: the same of what
    was told to the service and must outlive the machine; in Redis, one store is both.
    """

    config: Config
    clock: Callable[[], datetime]
    store: OnlineStore
    kept: OnlineStore
    pending: Pending
    facts: Pending
    reader: Reader
    visitors: Visitors
    rules: Reloadable[RuleBook]
    catalogue: Reloadable[Catalogue]
    features: Reloadable[Features]
    recommender: Reloadable[Recommender]
    experiments: Reloadable[Experiments]
    starts: Starts
    stock: Stock
    changes: Changes
    policy: LearnedPolicy
    out: KafkaOut
    outbox: Outbox
    log: KafkaOut
    sockets: Sockets
    pressure: Pressure
    last_answers: LastAnswers
    span: Span
    keys: Keyring
    tokens: Tokens
    page_tokens: PageTokens
    key_rates: Rates
    address_rates: Rates
    meters: Meters
    reads: ProfileReads
    sns_certificates: SnsCertificates
    webhooks: Mapping[str, WebhookDoor]
    counters: Counters = field(default_factory=Counters)
    is_listening: asyncio.Event = field(default_factory=asyncio.Event)  # to the stream's decisions

    def now_ms(self) -> int:
        """Milliseconds since 1970, by the service's clock."""
        return int(self.clock().timestamp() * 1000)

    def inputs(self) -> DecisionInputs:
        """What every decision of this moment is made from."""
        return read_inputs(
            self.config,
            rules=self.rules,
            catalogue=self.catalogue,
            features=self.features,
            experiments=self.experiments,
            stock=self.stock,
        )
