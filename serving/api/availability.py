"""POST /api/products: which products can be bought.

Here at once; for ever in the lake, by way of Kafka, from where an emptied online store gets it back.
"""

from lakehouse.events.facts import Availability, record
from lakehouse.online.fact_documents import document
from serving.api.outcomes import Unavailable
from serving.kafka.producer import Overloaded, acknowledged
from serving.messages.collector import PATIENCE_SECONDS
from serving.messages.request_models import AvailabilityRequest
from serving.service import Service


async def set_availability(service: Service, request: AvailabilityRequest) -> dict[str, object]:
    """From the next decision on.

    Raises:
        Unavailable: Kafka does not have all of it. To be sent again; it holds here, meanwhile.
    """
    at_ms, is_available = service.now_ms(), request.is_available
    product_ids = dict.fromkeys(request.product_ids)
    told = [Availability(product_id=one, is_available=is_available, at_ms=at_ms) for one in product_ids]
    service.stock.set(request.product_ids, is_available=is_available)
    service.facts.put(map(document, told))
    topic = service.config.kafka.events_topic
    try:
        sent = [service.out.send(topic, *record(fact)) for fact in told]
    except Overloaded as error:
        raise Unavailable(f"{error}. It is not kept for ever yet; send it again") from error
    if await acknowledged(sent, PATIENCE_SECONDS) < len(sent):
        raise Unavailable("kafka: not acknowledged. It is not kept for ever yet; send it again")
    return {"product_ids": list(request.product_ids), "is_available": is_available}
