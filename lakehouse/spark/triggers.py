"""When a query's next micro-batch starts."""

from typing import Any


def trigger(seconds: int, *, available_now: bool) -> dict[str, Any]:
    """Arguments of `DataStreamWriter.trigger`: drain what is there and end, or every `seconds` (0 = at once)."""
    return {"availableNow": True} if available_now else {"processingTime": f"{seconds} seconds"}
