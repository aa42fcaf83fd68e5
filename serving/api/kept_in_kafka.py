"""What is told to the service and must be in the lake: kept once Kafka has it, by way of a topic."""

from collections.abc import Iterable, Sequence

from fastapi.responses import Response

from serving.api.json_responses import fault
from serving.api.outcomes import Unavailable
from serving.kafka.producer import Header, Overloaded, acknowledged
from serving.messages.collector import PATIENCE_SECONDS
from serving.service import Service

_BUSY, _AWAY = 429, 503


async def not_kept(
    service: Service, topic: str, records: Iterable[tuple[bytes | None, bytes]], headers: Sequence[Header] = ()
) -> Response | None:
    """Send the records (key, value) of a request, each with these headers; why Kafka does not have all of them, None = it has."""
    try:
        sent, taken = await _handed_on(service, topic, records, headers)
    except Overloaded as busy:
        return fault(_BUSY, str(busy), **{"retry-after": "1"})
    if taken == sent:
        return None
    detail = f"kafka: {sent - taken} of {sent} records not acknowledged. Send the request again"
    return fault(_AWAY, detail, **{"retry-after": "1"})


async def keep_in_kafka(service: Service, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the records (key, value) to the topic of events and wait until they are acknowledged.

    Raises:
        Unavailable: Kafka does not have all of them. To be sent again.
    """
    try:
        sent, taken = await _handed_on(service, service.config.kafka.events_topic, records)
    except Overloaded as busy:
        raise Unavailable(f"{busy}. It is not kept for ever yet; send it again") from busy
    if taken < sent:
        raise Unavailable("kafka: not acknowledged. It is not kept for ever yet; send it again")


async def _handed_on(
    service: Service, topic: str, records: Iterable[tuple[bytes | None, bytes]], headers: Sequence[Header] = ()
) -> tuple[int, int]:
    """How many records there are, and how many of them Kafka has.

    Raises:
        Overloaded: no more can wait.
    """
    sent = [service.out.send(topic, key, value, headers) for key, value in records]
    return len(sent), await acknowledged(sent, PATIENCE_SECONDS)
