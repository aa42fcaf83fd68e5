"""Tokens for SASL/OAUTHBEARER, by the client credentials grant (RFC 6749, 4.4): Kafka's own client and librdkafka ask for them themselves,
kafka-python does not.
"""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests
from kafka.errors import SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

_TIMEOUT_SECONDS = 10.0
_KEPT = 0.8  # of a token's life: then there is time to ask again
_LIFE_SECONDS = 300.0  # of a token whose server names none


@dataclass(kw_only=True)
class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """A token at a time, kept for most of its life. Any thread may ask."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _until: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def token(self) -> str:
        """Raises SaslAuthenticationFailedError: the server gave none. What it said is not told: it may repeat the secret."""
        with self._lock:
            if self.clock() >= self._until:
                asked_at = self.clock()
                self._token, life = self._ask()
                self._until = asked_at + _KEPT * life
            return self._token

    def _ask(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"} | ({} if self.scope is None else {"scope": self.scope})
        try:
            known = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
            head = {"Authorization": f"Basic {known}"}  # requests itself would write the secret in Latin-1
            answer = requests.post(self.url, data=form, headers=head, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
            said = answer.json()
            return str(said["access_token"]), float(said.get("expires_in", _LIFE_SECONDS))
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            got = f"HTTP {answer.status_code}" if isinstance(error, requests.HTTPError) else type(error).__name__
            raise SaslAuthenticationFailedError(f"no token from {self.url}: {got}") from None


def token_provider(options: Mapping[str, str]) -> ClientCredentials:
    """Of [kafka.options]."""
    return ClientCredentials(
        url=options["sasl.oauthbearer.token.endpoint.url"],
        client_id=options["sasl.oauthbearer.client.id"],
        client_secret=options["sasl.oauthbearer.client.secret"],
        scope=options.get("sasl.oauthbearer.scope"),
    )
