"""What is asked of the brokers beside records: whether they answer, what topics there are. And why they refuse, in one line.

By librdkafka, the one client that says why a connection came to nothing.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from lakehouse.errors import BrokerError
from lakehouse.kafka import clients
from lakehouse.kafka.clients import Cluster
from lakehouse.kafka.refusal import refused
from lakehouse.kafka.topics import Topics

ANSWER_SECONDS = 5.0
_SOUND_SECONDS = 1.0  # another of the brokers, or the same at a second try, may still answer after one has refused
_POLL_SECONDS = 0.02


def answers(cluster: Cluster) -> bool:
    """Whether a Kafka broker there tells its cluster's metadata."""
    with suppress(BrokerError):
        hold_to_answer(cluster)
        return True
    return False


def hold_to_answer(cluster: Cluster) -> None:
    """Raises BrokerError: nobody answers there; Refused: somebody does, and the options are wrong."""
    _ask(cluster, lambda client: client.describe_cluster(request_timeout=ANSWER_SECONDS))


def hold_to_options(cluster: Cluster) -> None:
    """Raises Refused: a broker is there, and the options are wrong. That none answers is no fault: whoever asks begins without."""
    try:
        hold_to_answer(cluster)
    except BrokerError as error:
        if not error.may_pass:
            raise


def create_topic(cluster: Cluster, topic: str, partitions: int) -> None:
    """Create the topic; one that is there already is left as it is, also where creating is not allowed.

    Raises:
        BrokerError: no broker answers there, or it refuses.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # it is documented there

    if _described(cluster, topic) is not None:
        return
    new = NewTopic(topic, num_partitions=partitions, replication_factor=-1)  # as many copies as the broker's default
    try:
        _ask(cluster, lambda client: client.create_topics([new], request_timeout=ANSWER_SECONDS)[topic])
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise BrokerError(
                f"kafka at {cluster.bootstrap_servers}: topic '{topic}' not created, got {error.args[0].str()}, expected to be "
                "allowed to. Create it by hand, or let this user"
            ) from error


def partitions(cluster: Cluster, topics: Topics) -> int:
    """How many partitions the topics have, all together, as of now.

    Raises:
        BrokerError: no broker answers there, or it has no topic of a name.
    """
    return sum(len(found.partitions) for found in _found(cluster, topics).values())


def topic_ids(cluster: Cluster, topics: Topics) -> dict[str, str | None]:
    """By name the id the broker gave a topic when it was created; None of a broker that gives none (before Kafka 2.8).

    Raises:
        BrokerError: as `partitions`.
    """
    return {topic: _id_of(found.topic_id) for topic, found in _found(cluster, topics).items()}


def first_offsets(cluster: Cluster, topics: Topics) -> dict[str, dict[str, int]]:
    """Topic -> partition -> offset of the first record that the topic still holds; of an empty partition that of its next.

    Raises:
        BrokerError: as `partitions`.
    """
    return _offsets(cluster, topics, "earliest")


def end_offsets(cluster: Cluster, topics: Topics) -> dict[str, dict[str, int]]:
    """Topic -> partition -> offset that its next record will have.

    Raises:
        BrokerError: as `partitions`.
    """
    return _offsets(cluster, topics, "latest")


def _offsets(cluster: Cluster, topics: Topics, which: str) -> dict[str, dict[str, int]]:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # it is documented there

    asked = {
        TopicPartition(topic, partition.id): getattr(OffsetSpec, which)()
        for topic, found in _found(cluster, topics).items()
        for partition in found.partitions
    }
    with ThreadPoolExecutor(1) as beside:
        told = _ask(
            cluster, lambda client: beside.submit(_all, client.list_offsets(asked, request_timeout=ANSWER_SECONDS))
        )
    offsets: dict[str, dict[str, int]] = {}
    for place, one in told.items():
        offsets.setdefault(place.topic, {})[str(place.partition)] = one.offset
    return offsets


def _all(answers: Mapping[Any, "Future[Any]"]) -> dict[Any, Any]:
    """Waits for each."""
    return {asked: answer.result(ANSWER_SECONDS) for asked, answer in answers.items()}


def _id_of(given: Any) -> str | None:
    bits = (given.get_most_significant_bits(), given.get_least_significant_bits())
    return str(given) if any(bits) else None


def _found(cluster: Cluster, topics: Topics) -> dict[str, Any]:
    """By name what the broker says of each topic that is there."""
    names = {*topics.names, *topics.among(_names(cluster))} if topics.pattern else set(topics.names)
    found = {topic: _described(cluster, topic) for topic in sorted(names)}
    for topic, said in found.items():
        if said is None:
            raise BrokerError(
                f"kafka at {cluster.bootstrap_servers}: no topic '{topic}', expected it to be there. Create it, or mend "
                "kafka.events_topic"
            )
    return found


def _names(cluster: Cluster) -> list[str]:
    """Every topic this user may know of."""
    with ThreadPoolExecutor(1) as beside:  # so that what goes wrong meanwhile is heard
        listed = _ask(cluster, lambda client: beside.submit(client.list_topics, timeout=ANSWER_SECONDS))
    return list(listed.topics)


def _described(cluster: Cluster, topic: str) -> Any:
    """What the broker says of the topic; None when there is none."""
    from confluent_kafka import KafkaError, KafkaException, TopicCollection

    asked = TopicCollection([topic])
    try:
        return _ask(cluster, lambda client: client.describe_topics(asked, request_timeout=ANSWER_SECONDS)[topic])
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise BrokerError(
            f"kafka at {cluster.bootstrap_servers}: topic '{topic}' not described, got {error.args[0].str()}, expected to be "
            "allowed to. Let this user describe it"
        ) from error


def _ask(cluster: Cluster, what: Callable[[Any], "Future[Any]"]) -> Any:
    """The answer.

    Raises:
        BrokerError: none came.
        KafkaException: the broker's, of what was asked.
    """
    from confluent_kafka import KafkaException  # here: 0.1 s that `plan` and `status` need not pay
    from confluent_kafka.admin import AdminClient

    if not _connects(cluster.bootstrap_servers):
        raise _no_answer(cluster)
    heard: list[str] = []
    settings = clients.librdkafka(cluster)
    settings |= {"logger": _kept_in(heard), "error_cb": lambda error: heard.append(error.str())}
    client = AdminClient(settings)
    answer = what(client)
    give_up = time.monotonic() + ANSWER_SECONDS
    while not answer.done() and time.monotonic() < give_up:
        client.poll(_POLL_SECONDS)
        if (wrong := refused(cluster, heard)) is not None:
            if wrong.is_final:
                raise wrong
            give_up = min(give_up, time.monotonic() + _SOUND_SECONDS)
    try:
        return answer.result(0)
    except TimeoutError:
        raise refused(cluster, heard) or _no_answer(cluster) from None
    except KafkaException as error:
        if error.args[0].code() < 0:  # librdkafka's own: what was asked never came to a broker
            raise refused(cluster, heard) or _no_answer(cluster) from error
        raise


def _kept_in(heard: list[str]) -> logging.Logger:
    """A log of its own: that a connection was closed, librdkafka tells only there."""
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.Logger("librdkafka")
    logger.addHandler(handler)
    return logger


def _no_answer(cluster: Cluster) -> BrokerError:
    return BrokerError(
        f"kafka at {cluster.bootstrap_servers}: no answer, expected a broker. Start one with ./spark-submit.sh kafka start, or set "
        "STITCHLAKE__KAFKA__BOOTSTRAP_SERVERS"
    )


def _connects(bootstrap_servers: str) -> bool:
    """Whether any of the addresses takes a connection: the client itself would try for seconds."""
    for address in bootstrap_servers.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
            return True
        except OSError:
            continue
    return False
