"""What is told to the service and must be in the lake: kept once Kafka has it, by way of a topic."""

from collections.abc import Iterable

from fastapi.responses import Response

from serving.api.json_responses import fault
from serving.api.outcomes import Unavailable
from serving.kafka.producer import Headers, Overloaded, acknowledged
from serving.messages.collector import PATIENCE_SECONDS
from serving.service import Service

_BUSY, _AWAY = 429, 503


async def not_kept(
    service: Service, topic: str, records: Iterable[tuple[bytes | None, bytes]], headers: Headers | None = None
) -> Response | None:
    """Send the records (key, value) of a request, each with these headers; why Kafka does not have all of them, None = it has."""
    try:
        sent = [service.out.send(topic, key, value, headers or ()) for key, value in records]
    except Overloaded as busy:
        return fault(_BUSY, str(busy), **{"retry-after": "1"})
    if (taken := await acknowledged(sent, PATIENCE_SECONDS)) == len(sent):
        return None
    detail = f"kafka: {len(sent) - taken} of {len(sent)} records not acknowledged. Send the request again"
    return fault(_AWAY, detail, **{"retry-after": "1"})


async def keep_in_kafka(service: Service, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the records (key, value) to the topic of events and wait until they are acknowledged.

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
