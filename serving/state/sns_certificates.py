"""Certificates of Amazon SNS, each fetched once. Which addresses are Amazon's is decided before: serving/messages/sns_signature.py.

However many messages come while Amazon cannot be reached, few of them wait for it: an address is fetched by one at a time, and not again for a
while where that failed. The others are told at once, and SNS sends them again.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

import requests

from lakehouse.actions.private_addresses import PublicOnly
from lakehouse.errors import ActionError
from serving.state.fetched_bytes import fetched_bytes

_MOST_KEPT = 16  # there is one for each region, and a new one now and then
_MOST_AT_ONCE = 2  # threads that may wait for Amazon: others write and read what requests wait for
_PAUSE_SECONDS = 10.0
_MOST_BYTES = 65_536
_SECONDS = 5.0
T = TypeVar("T")


class SnsCertificates:
    """`fetch`: the bytes at an address; raises OSError. Any thread may ask. `clock`: seconds that only grow."""

    def __init__(self, fetch: Callable[[str], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._failed: OrderedDict[str, float] = OrderedDict()  # until when it is not asked for
        self._under_way: set[str] = set()
        self._lock = Lock()

    def at(self, url: str) -> bytes:
        """The PEM at the address. Raises OSError: it cannot be fetched now."""
        with self._lock:
            if (known := self._kept.get(url)) is not None:
                return known
            if url in self._under_way or len(self._under_way) >= _MOST_AT_ONCE:
                raise OSError("is being fetched for another message")
            if self._clock() < self._failed.get(url, 0.0):
                raise OSError("could not be fetched a moment ago")
            self._under_way.add(url)
        pem = None
        try:
            pem = self._fetch(url)
            return pem
        finally:
            with self._lock:
                self._under_way.discard(url)
                if pem is None:
                    _put(self._failed, url, self._clock() + _PAUSE_SECONDS)
                else:
                    _put(self._kept, url, pem)


def _put(kept: OrderedDict[str, T], url: str, value: T) -> None:
    kept[url] = value
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def fetched(url: str) -> bytes:
    """By TLS from a public address, which is what makes the certificate Amazon's. No redirect is followed, no proxy used.

    Raises:
        OSError: no answer, another one than 200, or more than a certificate is.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PublicOnly())
        try:
            with session.get(url, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
                if answer.status_code != 200:
                    raise OSError(f"got status {answer.status_code}, expected a certificate")
                pem = fetched_bytes(answer.raw, most_bytes=_MOST_BYTES, seconds=_SECONDS)
        except ActionError as error:
            raise OSError(str(error)) from error
    if not pem:
        raise OSError("got nothing, expected a certificate")
    return pem
