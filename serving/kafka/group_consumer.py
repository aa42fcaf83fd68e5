"""A topic read by a consumer group, committed after the effects: what was not done is read again."""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, IllegalStateError, KafkaError, RebalanceInProgressError

from lakehouse.errors import StitchlakeError
from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.topics import Topics
from serving.kafka.read_up_to import ReadUpTo

log = logging.getLogger("stitchlake.background")
_LEAVE_MS = 2_000  # for telling the group; the broker finds out by itself otherwise
# A poll returns as soon as there is something; this is how often timers are looked at and a stop is noticed.
POLL_MS = 200
_MOST_AT_ONCE = 500
_ANSWER_MS = 5_000  # for what is asked of the broker beside records
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
_MOST_TRIES = 12  # then the records are read anew: the group may have given the partitions to another by then


class GroupConsumer:
    """One thread's loop. `handle` may be given the same records again; `between` runs after every poll.

    read_up_to: up to which moment everything in the topic is handled, by this process or another of the group.
    """

    def __init__(
        self,
        cluster: Cluster,
        topics: Topics,
        group: str,
        *,
        handle: Callable[[Sequence[Any]], None],
        between: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._topics = topics
        self._group = group
        self._handle = handle
        self._between = between
        self.handled = 0
        self.read_up_to = ReadUpTo()

    def run(self, stopped: Event) -> None:
        """Until stopped. Whatever goes wrong, it is read anew; what follows from the clock goes on meanwhile."""
        while not stopped.is_set():
            try:
                self._read(stopped)
            except Exception as error:
                unforeseen = not isinstance(error, KafkaError)
                log.warning(
                    "topic %s at %s: not read, tried again: %r",
                    self._topics,
                    self._cluster.bootstrap_servers,
                    error,
                    exc_info=unforeseen,
                )
                self.read_up_to.lost()
                self._tried(self._between)
                stopped.wait(_FIRST_PAUSE)

    def _read(self, stopped: Event) -> None:
        consumer = KafkaConsumer(
            **clients.python_consumer(self._cluster),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=_MOST_AT_ONCE,
            fetch_min_bytes=1,
        )
        try:
            self._subscribe(consumer, stopped)
            while not stopped.is_set():
                polled = consumer.poll(timeout_ms=POLL_MS)
                if polled:
                    records = [record for of_partition in polled.values() for record in of_partition]
                    if not self._until_done(records, stopped):
                        return  # read again, by whoever has the partitions then
                    self._commit(consumer, polled)
                self._look(consumer)
                self._tried(self._between)
        finally:
            consumer.close(timeout_ms=_LEAVE_MS)

    def _subscribe(self, consumer: KafkaConsumer, stopped: Event) -> None:
        """Once the partitions of every topic that has a name are known: kafka-python 3.0.12 that joins a group before it knows them may never get any.

        On a busy machine that befell one consumer in nine. Source: github.com/dpkp/kafka-python, issue 2377.
        """
        while not stopped.is_set():
            if all(map(consumer.partitions_for_topic, self._topics.names)):
                if self._topics.pattern:
                    consumer.subscribe(pattern=self._topics.regex)
                else:
                    consumer.subscribe(self._topics.names)
                return
            self._tried(self._between)
            stopped.wait(_FIRST_PAUSE)

    def _until_done(self, records: Sequence[Any], stopped: Event) -> bool:
        """Whether they were handled before a stop, or before the group lost its patience."""
        pause = _FIRST_PAUSE
        for _ in range(_MOST_TRIES):
            if self._tried(lambda: self._handle_all(records)):
                self.handled += len(records)
                return True
            self.read_up_to.lost()
            if stopped.wait(pause):
                return False
            pause = min(2 * pause, _LONGEST_PAUSE)
        return False

    def _handle_all(self, records: Sequence[Any]) -> None:
        """A record that breaks the handler must not stop all that come after it: it is found, told, and left out."""
        try:
            self._handle(records)
        except (StitchlakeError, KafkaError):
            raise
        except Exception:
            if len(records) == 1:
                (record,) = records
                log.exception("%s[%s] offset %s: left out", record.topic, record.partition, record.offset)
                return
            for record in records:
                self._handle_all([record])

    def _tried(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except (StitchlakeError, KafkaError) as error:
            log.warning("%s: tried again: %s", self._topics, error)
            return False
        except Exception:
            log.exception("%s: tried again", self._topics)
            return False
        return True

    def _look(self, consumer: KafkaConsumer) -> None:
        """Nobody knows how far it is while the broker does not say; what comes is read all the same."""
        try:
            self.read_up_to.look(lambda: self._ends(consumer), lambda: self._done(consumer))
        except KafkaError as error:
            log.warning("topic %s: where it ends was not told: %r", self._topics, error)
            self.read_up_to.lost()

    def _ends(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, int]:
        ends: Mapping[TopicPartition, int] = consumer.end_offsets(self._partitions(consumer), timeout_ms=_ANSWER_MS)
        return ends

    def _partitions(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        """Of every topic that is there by now."""
        topics = self._topics.among(consumer.topics()) if self._topics.pattern else self._topics.names
        return [
            TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic) or ()
        ]

    def _done(self, consumer: KafkaConsumer) -> Mapping[TopicPartition, int]:
        """Of partitions that another process of the group reads, what it has committed; before that, where they begin."""
        own, found = consumer.assignment(), {}
        for partition in self._partitions(consumer):
            ask = consumer.position if partition in own else consumer.committed
            done = ask(partition, timeout_ms=_ANSWER_MS)
            if done is None:
                done = consumer.beginning_offsets([partition], timeout_ms=_ANSWER_MS)[partition]
            found[partition] = done
        return found

    def _commit(self, consumer: KafkaConsumer, polled: dict[Any, Sequence[Any]]) -> None:
        """A commit that fails costs a repeat, which changes nothing."""
        ends = {
            partition: OffsetAndMetadata(records[-1].offset + 1, "", records[-1].leader_epoch or -1)
            for partition, records in polled.items()
        }
        try:
            consumer.commit(ends)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError) as error:
            log.warning("topic %s: offsets were not noted: %r", self._topics, error)
