"""What is told to the service and must be in the lake: kept once Kafka has it, by way of the topic of events."""

from collections.abc import Iterable

from serving.api.outcomes import Unavailable
from serving.kafka.producer import Overloaded, acknowledged
from serving.messages.collector import PATIENCE_SECONDS
from serving.service import Service


async def keep_in_kafka(service: Service, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the records (key, value) and wait until they are acknowledged.

    Raises:
        Unavailable: Kafka does not have all of them. To be sent again.
    """
    topic = service.config.kafka.events_topic
    try:
        sent = [service.out.send(topic, key, value) for key, value in records]
    except Overloaded as error:
        raise Unavailable(f"{error}. It is not kept for ever yet; send it again") from error
    if await acknowledged(sent, PATIENCE_SECONDS) < len(sent):
        raise Unavailable("kafka: not acknowledged. It is not kept for ever yet; send it again")
