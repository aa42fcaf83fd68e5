"""python -m serving.background: what a person waits for without asking. Recent behaviour, moments, rules, actions; until stopped.

Three threads read topics: events (recent behaviour, moments and their timers), decisions (rules of the stream that name a
destination) and actions (into the store). Each destination has a thread of its own, and writes to nobody while events wait to be read.
Everything is idempotent, and offsets are committed after the effects.
"""

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import orjson
from deltalake.exceptions import DeltaError
from kafka import KafkaProducer
from kafka.errors import KafkaError

from lakehouse.actions.action import Action
from lakehouse.actions.destinations import Known, Topic, read_destinations
from lakehouse.actions.recipient_zones import RecipientZones
from lakehouse.config import Config, load
from lakehouse.config.paths import DESTINATIONS, EXPERIMENTS, FEATURES, MOMENTS, OFFERS, RULES, SOURCES, TEMPLATES
from lakehouse.decisions.exposures import lifetimes
from lakehouse.decisions.offers import Offer, read_catalogue
from lakehouse.errors import BrokerError
from lakehouse.events.reader import Reader
from lakehouse.feature_book.book import declared_features
from lakehouse.feature_book.rule_words import rule_words
from lakehouse.features.definition import NO_FEATURES
from lakehouse.job import READY, run
from lakehouse.kafka import admin, clients
from lakehouse.kafka.broker import reachable
from lakehouse.kafka.topics import Topics, event_topics
from lakehouse.lake import audit
from lakehouse.lake.audited_settings import note_settings
from lakehouse.learning.lifetime import remember_for_life
from lakehouse.learning.reward import Reward
from lakehouse.machine import account
from lakehouse.moments.definitions import Definitions, read_moments
from lakehouse.moments.detector import MomentDetector
from lakehouse.moments.fact_reader import FactReader
from lakehouse.moments.moment_actions import actions_of_moment
from lakehouse.moments.state_store import StateStore
from lakehouse.moments.transitions import Moment
from lakehouse.online.engines import open_kept_store, open_store, store_url
from lakehouse.online.recent_entries import entries, remember
from lakehouse.rules.book import read_rules
from lakehouse.rules.vocabulary import Term
from lakehouse.sources.topic_sources import topic_sources
from serving.background.destination_workers import DestinationWorkers
from serving.background.people import People
from serving.background.read_log import take_over
from serving.background.rule_actions import RuleActions
from serving.background.send_permission import SendPermission
from serving.background.sent_exposures import SentExposures
from serving.background.signals import set_by_signals
from serving.background.suppressions import suppressions_in
from serving.kafka.group_consumer import GroupConsumer
from serving.state.profile_reads import reads_folder
from serving.state.reloadable import Reloadable
from serving.state.running_experiments import read_running
from serving.state.stock import Stock
from serving.telemetry import spans

STATUS_SECONDS = 60.0
_ACKNOWLEDGE_SECONDS = 10.0
_STORE_MS = 1000  # nobody waits for this process: better late than again
log = logging.getLogger("stitchlake.background")
_NO_MOMENTS = Definitions(all=())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """What an owner edits. All count when they change, but destinations, which count at the next start."""

    moments: Path = MOMENTS
    destinations: Path = DESTINATIONS
    offers: Path = OFFERS
    templates: Path = TEMPLATES
    rules: Path = RULES
    experiments: Path = EXPERIMENTS
    features: Path = FEATURES


class Background:
    """The process, put together. `config`: of a broker that answers. `clock`: of every part.

    Raises:
        ConfigError: the destinations are faulty, or a secret of theirs is missing.
        StoreError: a store cannot be opened.
    """

    def __init__(self, config: Config, files: Files, environ: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._config = config
        self._clock = clock
        destinations = read_destinations(files.destinations, environ)
        for destination in destinations.values():
            if isinstance(destination, Topic):
                admin.create_topic(config.kafka, destination.topic, config.kafka.partitions)
        self._features = Reloadable(files.features, lambda path: declared_features(config, path))
        self._offers = Reloadable(
            files.offers,
            lambda path: read_catalogue(path, self._words(), config.consent.purposes),
            relies_on=[self._features],
        )
        self._moments = Reloadable(
            files.moments,
            lambda path: read_moments(
                path, offers=self._known_offers(), destinations=destinations, purposes=config.consent.purposes
            ),
            relies_on=[self._offers],
        )
        self._online = open_store(store_url(config), timeout_ms=_STORE_MS)
        self._kept = open_kept_store(config)
        self._producer = KafkaProducer(**clients.python_producer(config.kafka), acks="all", linger_ms=0)
        self._reader = Reader(config)
        self._sources = topic_sources(config, SOURCES)
        people = People(self._online, self._kept, config)
        self._zones = RecipientZones(self._kept, self._reader)
        self._rules = self._rule_actions(files, people, destinations)
        self._deliverer = self._destination_workers(files, people).deliverer(destinations)
        self._fact_reader = FactReader(config, self._reader)
        self._detector = MomentDetector(
            visitors=StateStore(self._kept, shards=config.moments.shards),
            profiles=self._online,
            identity=config.identity,
            now_ms=self._now_ms,
            emit=self._act_on,
        )
        self._fired = 0
        self._noted: dict[str, str | None] = {}
        decisions, actions = Topics((config.decisions.topic,)), Topics((config.actions.topic,))
        self._candidates = self._consumer(decisions, self._take_candidates, lambda: None)
        self._events = self._consumer(event_topics(config.kafka), self._take_events, self._tick)
        self._actions = self._consumer(actions, self._take_actions, lambda: None)

    def note_rules(self) -> None:
        """In the audit log: by which files people are decided on and acted to, where they are others than before."""
        files = {name: file.digest for name, file in self._read_files().items()}
        if files != self._noted:
            audit.note_state(self._config, "rules", files, by=account(), now=self._clock())
            self._noted = files

    def note_reads(self) -> None:
        """In the audit log: who was told of whose profile. What it does not take waits in files."""
        folder = reads_folder(self._config)
        try:
            if folder is not None:
                take_over(self._config, folder, self._clock())
        except (OSError, DeltaError) as error:
            log.warning(
                "audit: reads of profiles wait, got %s, expected a log that can be written", type(error).__name__
            )

    def run(self, stopped: Event) -> None:
        """Until stopped; then what is under way is ended, and what is due stays due."""
        self.note_rules()
        self.note_reads()
        self._deliverer.start()
        consumers = (self._events, self._candidates, self._actions)
        threads = [Thread(target=consumer.run, args=(stopped,), daemon=True) for consumer in consumers]
        for thread in threads:
            thread.start()
        print(READY, flush=True)
        printed = b""
        while not stopped.wait(STATUS_SECONDS):
            self.note_rules()
            self.note_reads()
            if (status := self.status()) != printed:
                print(status.decode(), flush=True)
                printed = status
        for thread in threads:
            thread.join()
        self._deliverer.stop()
        self.note_reads()
        print(self.status().decode(), flush=True)
        self._producer.close(timeout=_ACKNOWLEDGE_SECONDS)
        self._kept.close()
        self._online.close()

    def status(self) -> bytes:
        """One line of JSON: what has been done since the start, and what is wrong with the files."""
        faults = {name: file.fault for name, file in self._read_files().items()}
        return orjson.dumps(
            {
                **{"events": self._events.handled, "candidates": self._candidates.handled, "moments": self._fired},
                "actions": self._actions.handled,
                "destinations": self._deliverer.counts,
                "faults": {name: fault for name, fault in faults.items() if fault is not None},
            }
        )

    def _read_files(self) -> dict[str, Reloadable[Any]]:
        return {
            "moments": self._moments,
            "offers": self._offers,
            "features": self._features,
            "rules": self._rules.rules,
            "experiments": self._rules.experiments,
        }

    def _rule_actions(self, files: Files, people: People, destinations: Mapping[str, Known]) -> RuleActions:
        return RuleActions(
            config=self._config,
            reader=self._reader,
            people=people,
            rules=Reloadable(
                files.rules,
                lambda path: read_rules(
                    path, offers=self._known_offers(), destinations=destinations, words=self._words()
                ),
                relies_on=[self._offers],
            ),
            offers=self._offers,
            features=self._features,
            experiments=Reloadable(files.experiments, lambda path: read_running(path, self._kept, self._clock())),
            stock=Stock(self._kept),
            clock=self._clock,
            emit=self._queue,
        )

    def _destination_workers(self, files: Files, people: People) -> DestinationWorkers:
        config = self._config
        return DestinationWorkers(
            config=config,
            store=self._kept,
            people=people,
            zones=self._zones,
            send_permission=SendPermission(
                people=people,
                inputs=self._rules.inputs,
                rules=self._rules.by_name,
                unheard_seconds=lambda: self._events.read_up_to.age(),
            ),
            shown=SentExposures(
                store=self._online,
                kept=self._kept,
                caps=self._caps_for_life,
                reward=Reward.of(config.serving),
                people=people,
                topic=config.decision_log.topic,
                tell=self._tell,
            ),
            offers=self._known_offers,
            templates=files.templates,
            clock=self._clock,
            tell=self._tell,
            span=spans("stitchlake-background", is_on=config.serving.spans),
        )

    def _consumer(
        self, topics: Topics, handle: Callable[[Sequence[Any]], None], between: Callable[[], None]
    ) -> GroupConsumer:
        group = f"stitchlake-background-{topics.names[0]}"
        return GroupConsumer(self._config.kafka, topics, group, handle=handle, between=between)

    def _take_events(self, records: Sequence[Any]) -> None:
        placed, facts, messages, suppressions = [], [], [], []
        for record in records:
            message = self._reader.document(self._sources.document(record.topic, record.value))
            arrived_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            messages.append((message, arrived_at))
            placed += entries(message, self._reader, arrived_at=arrived_at)
            suppressions += suppressions_in(message, self._reader, arrived_at=arrived_at)
            if (fact := self._fact_reader.of(message, arrived_at)) is not None:
                facts.append(fact)
        self._kept.put(suppressions)
        self._zones.take(messages)
        remember(self._online, placed)
        remember_for_life(self._kept, placed, self._caps_for_life())
        self._detector.take(facts, self._moments.current or _NO_MOMENTS)

    def _take_candidates(self, records: Sequence[Any]) -> None:
        self._rules.handle([record.value for record in records])

    def _take_actions(self, records: Sequence[Any]) -> None:
        self._deliverer.accept(record.value for record in records)

    def _tick(self) -> None:
        self._fired += self._detector.tick(self._moments.current or _NO_MOMENTS)

    def _act_on(self, moment: Moment) -> None:
        for action in actions_of_moment(moment, self._now_ms()):
            self._queue(action)

    def _queue(self, action: Action) -> None:
        self._tell(self._config.actions.topic, action.id, action.encode())

    def _tell(self, topic: str, key: str, value: bytes) -> None:
        try:
            self._producer.send(topic, key=key.encode(), value=value).get(timeout=_ACKNOWLEDGE_SECONDS)
        except KafkaError as error:
            raise BrokerError(
                f"kafka: topic {topic} was not written, got {error!r}, expected a broker. Start it"
            ) from error

    def _known_offers(self) -> Mapping[str, Offer]:
        catalogue = self._offers.current
        return {} if catalogue is None else catalogue.offers

    def _words(self) -> Mapping[str, Term]:
        return rule_words(self._features.current or NO_FEATURES)

    def _caps_for_life(self) -> Mapping[str, int]:
        return lifetimes(self._known_offers().values(), self._rules.by_name().values())

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def utc_now() -> datetime:
    return datetime.now(UTC)


def main(argv: list[str]) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    config = reachable(load())
    topics = (*event_topics(config.kafka).names, config.decisions.topic, config.decision_log.topic)
    for topic in (*topics, config.actions.topic, config.actions.dead_topic):
        admin.create_topic(config.kafka, topic, config.kafka.partitions)
    note_settings(config, now=utc_now())
    Background(config, Files(), os.environ, utc_now).run(set_by_signals())


if __name__ == "__main__":
    run(main)
