"""An action as an HTTP call."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from lakehouse.actions.delivery import Result
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.http_call import Answer, HttpCalls
from lakehouse.decisions.gate import Permitted


class WebhookSender:
    """Calls of one destination."""

    def __init__(self, destination: Webhook, *, timeout_seconds: float, clock: Callable[[], datetime]) -> None:
        self._destination = destination
        self._calls = HttpCalls(destination, timeout_seconds=timeout_seconds, clock=clock)

    def send(self, body: Permitted[Mapping[str, Any]], key: str) -> Result:
        """POST once. `key`: the same for every attempt of one action. Of the response only status and headers are looked at."""
        answer = self._calls.call(orjson.dumps(body.what), key)
        return answer.result if isinstance(answer, Answer) else answer

    def close(self) -> None:
        """End the session's connections."""
        self._calls.close()
