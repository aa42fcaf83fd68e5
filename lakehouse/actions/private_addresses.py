"""Keeps calls out of private networks: the address that was connected to is looked at, so no name can lie about it."""

import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from lakehouse.errors import ActionError


def refuse_private(address: str, host: str) -> None:
    """Raises ActionError for an address that is not of the open Internet: loopback, private, link-local, shared, reserved.

    An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is looked at, too.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = [ip]
    if isinstance(ip, ipaddress.IPv6Address):
        inner += [address for address in (ip.ipv4_mapped, ip.sixtofour) if address is not None]
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if any(not each.is_global or each.is_multicast for each in (inner[1:] or inner)):
        raise ActionError(
            f"destination {host}: its address is private, got {address}, expected one of the open Internet. "
            "Mend the URL, or set allow_private: true"
        )


def _checked(sock: socket.socket, host: str) -> socket.socket:
    try:
        refuse_private(str(sock.getpeername()[0]), host)
    except (ActionError, OSError):
        sock.close()
        raise
    return sock


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class PublicOnly(HTTPAdapter):
    """Not a byte is sent to a private address; a redirect or a name that changes its address is no way around."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **rest: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **rest)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
