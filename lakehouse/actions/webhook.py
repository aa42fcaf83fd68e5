"""An action as an HTTP call."""

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests

from lakehouse.actions.delivery import GiveUp, Result, Retry, Sent
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.private_addresses import PublicOnly
from lakehouse.actions.signature import signed
from lakehouse.decisions.gate import Permitted
from lakehouse.errors import ActionError

KEY_HEADER = "Idempotency-Key"
_LATER = frozenset({408, 421, 423, 425, 429})
_MOST_WAIT = 3600.0


class WebhookSender:
    """One session of one destination. Redirects are not followed, proxies of the environment not used."""

    def __init__(self, destination: Webhook, *, timeout_seconds: float, clock: Callable[[], datetime]) -> None:
        self._destination = destination
        self._clock = clock
        self._secrets = [secret.get_secret_value() for secret in destination.signing_secrets]
        self._timeout = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False
        if not destination.allow_private:
            for scheme in ("https://", "http://"):
                self._session.mount(scheme, PublicOnly())

    def send(self, body: Permitted[Mapping[str, Any]], key: str) -> Result:
        """POST once. `key`: the same for every attempt of one action, so that the destination can tell a repeat.

        Signed where the destination has a secret: signature.py. Of the response only status and headers are looked at.
        """
        headers = {name: value.get_secret_value() for name, value in self._destination.headers.items()}
        headers |= {KEY_HEADER: key, "Content-Type": "application/json", "User-Agent": "stitchlake"}
        data = orjson.dumps(body.what)
        if self._secrets:
            headers |= signed(data, id_=key, at_seconds=int(self._clock().timestamp()), secrets=self._secrets)
        try:
            with self._session.post(
                self._destination.url.get_secret_value(),
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return _result(response.status_code, response.headers.get("Retry-After"), self._clock())
        except ActionError as error:
            return GiveUp(str(error))
        except requests.exceptions.InvalidURL:
            return GiveUp("url: not usable")
        except requests.RequestException as error:
            return Retry(type(error).__name__)  # its text may hold the URL

    def close(self) -> None:
        """End the session's connections."""
        self._session.close()


def _result(status: int, retry_after: str | None, now: datetime) -> Result:
    if 200 <= status < 300:
        return Sent()
    if status in _LATER or status >= 500:
        return Retry(f"status {status}", after=_seconds(retry_after, now))
    return GiveUp(f"status {status}")


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date; None where it is neither."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - now).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _MOST_WAIT) if seconds == seconds else None
