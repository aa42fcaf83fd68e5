"""POST /api/products: which products can be bought.

Here at once; for ever in the lake, by way of Kafka, from where an emptied online store gets it back.
"""

from lakehouse.events.facts import Availability, record
from lakehouse.online.fact_documents import document
from serving.api.kept_in_kafka import keep_in_kafka
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
    await keep_in_kafka(service, map(record, told))
    return {"product_ids": list(request.product_ids), "is_available": is_available}
