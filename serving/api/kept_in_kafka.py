"""What is told to the service and must be in the lake: kept once Kafka has it, by way of a topic, or the spool on its way there."""

from collections.abc import Iterable, Sequence

from fastapi.responses import Response

from serving.api.json_responses import fault
from serving.api.outcomes import Unavailable
from serving.kafka.producer import PATIENCE_SECONDS, Overloaded, acknowledged
from serving.kafka.record_frames import Record
from serving.kafka.spool import Full
from serving.service import Service

_BUSY, _AWAY = 429, 503
_SOON = {"retry-after": "1"}


async def not_kept(service: Service, records: Sequence[Record]) -> Response | None:
    """Keep the records of a request; why not all of them are, None = they are."""
    try:
        kept = await service.outbox.keep(records)
    except Overloaded as busy:
        return fault(_BUSY, str(busy), **_SOON)
    except Full as full:
        return fault(_AWAY, str(full), **_SOON)
    if kept == len(records):
        return None
    detail = f"kafka: {len(records) - kept} of {len(records)} records not acknowledged. Send the request again"
    return fault(_AWAY, detail, **_SOON)


async def keep_in_kafka(service: Service, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the records (key, value) to the topic of events and wait until Kafka has them: the streams are to hear of it now.

    Raises:
        Unavailable: Kafka does not have all of them. To be sent again.
    """
    topic = service.config.kafka.events_topic
    try:
        sent = [service.out.send(topic, key, value) for key, value in records]
    except Overloaded as busy:
        raise Unavailable(f"{busy}. It is not kept for ever yet; send it again") from busy
    if await acknowledged(sent, PATIENCE_SECONDS) < len(sent):
        raise Unavailable("kafka: not acknowledged. It is not kept for ever yet; send it again")
