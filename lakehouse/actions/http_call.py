"""Calls of one destination by HTTP: its headers, its signature, no redirect, no private address unless that is declared.

What a status means is said here once: taken, later, or never.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import HTTPError

from lakehouse.actions.delivery import GiveUp, Result, Retry, Sent
from lakehouse.actions.destinations import Webhook
from lakehouse.actions.private_addresses import PublicOnly
from lakehouse.actions.signature import signed
from lakehouse.errors import ActionError

KEY_HEADER = "Idempotency-Key"
_LATER = frozenset({408, 421, 423, 425, 429})
_MOST_WAIT = 3600.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a destination said. after: seconds it asks us to wait. body: as much of it as was asked for."""

    status: int
    after: float | None
    content_type: str = ""
    body: bytes = b""

    @property
    def result(self) -> Result:
        """By the status alone."""
        if 200 <= self.status < 300:
            return Sent()
        if self.status in _LATER or self.status >= 500:
            return Retry(f"status {self.status}", after=self.after)
        return GiveUp(f"status {self.status}")


class HttpCalls:
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

    def call(
        self,
        data: bytes,
        key: str,
        *,
        method: str = "POST",
        path: str = "",
        headers: Mapping[str, str] = {},
        reads: int = 0,
    ) -> Answer | Retry | GiveUp:
        """Once. Signed where the destination has a secret: signature.py.

        Args:
            data: the body, JSON.
            key: the same for every attempt of one thing, so that the destination can tell a repeat.
            method: of HTTP.
            path: below the destination's URL.
            headers: beside those that are declared.
            reads: bytes of the answer's body to read at most.

        Returns:
            The answer; or why there is none: Retry, nobody knows whether it was taken; GiveUp, nothing was sent.
        """
        sent = {name: value.get_secret_value() for name, value in self._destination.headers.items()}
        sent |= {KEY_HEADER: key, "Content-Type": "application/json", "User-Agent": "stitchlake", **headers}
        if self._secrets:
            sent |= signed(data, id_=key, at_seconds=int(self._clock().timestamp()), secrets=self._secrets)
        url = self._destination.url.get_secret_value()
        try:
            with self._session.request(
                method,
                f"{url.rstrip('/')}/{path.lstrip('/')}" if path else url,
                data=data,
                headers=sent,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(reads, decode_content=True) if reads else b""
                after = _seconds(response.headers.get("Retry-After"), self._clock())
                content_type = response.headers.get("Content-Type", "")
                return Answer(status=response.status_code, after=after, content_type=content_type, body=body)
        except ActionError as error:
            return GiveUp(str(error))
        except requests.exceptions.InvalidURL:
            return GiveUp("url: not usable")
        except (requests.RequestException, OSError, HTTPError) as error:
            return Retry(type(error).__name__)  # its text may hold the URL

    def close(self) -> None:
        """End the session's connections."""
        self._session.close()


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
