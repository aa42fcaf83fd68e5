"""Certificates of Amazon SNS, each fetched once. Which addresses are Amazon's is decided before: serving/messages/sns_signature.py."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import requests
import urllib3

from lakehouse.actions.private_addresses import PublicOnly
from lakehouse.errors import ActionError

_MOST_KEPT = 16  # there is one for each region, and a new one now and then
_MOST_BYTES = 65_536
_SECONDS = 5.0


class SnsCertificates:
    """`fetch`: the bytes at an address. Any thread may ask."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def at(self, url: str) -> bytes:
        """The PEM at the address. Raises OSError: it cannot be fetched now."""
        with self._lock:
            if (known := self._kept.get(url)) is not None:
                return known
        pem = self._fetch(url)
        with self._lock:
            self._kept[url] = pem
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return pem


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
                pem = answer.raw.read(_MOST_BYTES + 1, decode_content=True) if answer.status_code == 200 else b""
        except (ActionError, urllib3.exceptions.HTTPError) as error:  # reading is urllib3's own
            raise OSError(str(error)) from error
    if not 0 < len(pem) <= _MOST_BYTES:
        raise OSError(f"got status {answer.status_code} and {len(pem)} bytes, expected a certificate")
    return bytes(pem)
