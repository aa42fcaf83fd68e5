"""POST /api/products: which products can be bought."""

from lakehouse.online.store import Document
from serving.messages.request_models import AvailabilityRequest
from serving.service import Service
from serving.state.stock import PREFIX


async def set_availability(service: Service, request: AvailabilityRequest) -> dict[str, object]:
    """From the next decision on."""
    at_ms = service.now_ms()
    value = None if request.is_available else b"1"
    service.stock.set(request.product_ids, is_available=request.is_available)
    service.facts.put(Document(f"{PREFIX}{product_id}", at_ms, value) for product_id in request.product_ids)
    return {"product_ids": list(request.product_ids), "is_available": request.is_available}
