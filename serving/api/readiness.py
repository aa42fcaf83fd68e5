"""GET /readyz: whether a request that comes now is answered from all the service stands on. GET /healthz only says that it runs."""

from typing import Any

from lakehouse.errors import StoreError
from lakehouse.online.store_state import state_of
from serving.service import Service
from serving.state.reloadable import Reloadable


async def waits_for(service: Service) -> dict[str, str]:
    """Each part that is not there, and why; empty = ready.

    A model that nobody has trained yet is nothing to wait for: popularity answers. One that cannot be read is.
    A file whose newest version is faulty is ready too, by the version before it; GET /api/status names the fault.
    """
    parts = {
        "online_store": await _store(service),
        "kafka": "" if service.out.is_connected and service.log.is_connected else "not connected yet",
        "decisions": "" if service.is_listening.is_set() else "the stream's decisions are not read yet",
        "rules": _file(service.rules),
        "offers": _file(service.catalogue),
        "experiments": _file(service.experiments),
        "model": _file(service.recommender) if service.recommender.is_there else "",
    }
    return {part: why for part, why in parts.items() if why}


async def _store(service: Service) -> str:
    try:
        state = await service.visitors.call(lambda: state_of(service.store))
    except (StoreError, TimeoutError):
        return "does not answer"
    return "" if state.is_filled else "not filled from gold yet"


def _file(part: Reloadable[Any]) -> str:
    return "" if part.current is not None else "cannot be read" if part.is_there else "not there"
