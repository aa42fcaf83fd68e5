"""Where a Redis is, as `online_store.url` says it, and a client of it.

    redis://[user:password@]host[:6379][/db]                              one server; options of redis-py may follow as ?name=value
    redis+sentinel://[user:password@]host[:26379][,host...]/name[/db]     the server that these Sentinels name
    redis+cluster://[user:password@]host[:6379][,host...]                 a cluster, of which these are some nodes

`rediss` in place of `redis` is the same by TLS; `?ssl_ca_certs=FILE` names a certificate authority of one's own. The Sentinels' own
`?sentinel_username=` and `?sentinel_password=` differ from the server's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from lakehouse.errors import StoreError

SENTINEL, CLUSTER = "sentinel", "cluster"
_FORMS = {
    "": "redis://host:port[/db]",
    SENTINEL: "redis+sentinel://host:26379,host:26379/name[/db]",
    CLUSTER: "redis+cluster://host:6379,host:6379",
}
_PORTS = {SENTINEL: 26379, CLUSTER: 6379}
_OPTIONS = {SENTINEL: {"ssl_ca_certs", "sentinel_username", "sentinel_password"}, CLUSTER: {"ssl_ca_certs"}}
_SCHEME = re.compile(r"(redis|rediss)(?:\+(sentinel|cluster))?://(.*)", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@\s]+)(?::([0-9]{1,5}))?")
Host = tuple[str, int]
# Any: these of redis-py have no types, or such as no keyword argument fits.
_Node: Any = ClusterNode
_Cluster: Any = RedisCluster
_Sentinel: Any = Sentinel
_parsed: Any = parse_url


@dataclass(frozen=True, kw_only=True)
class RedisPlace:
    """`kind`: empty, sentinel or cluster. `url`: of one server. `service`: what Sentinels call it. Printed, it tells no password."""

    kind: str
    hosts: tuple[Host, ...]
    url: str = field(default="", repr=False)
    service: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    of_sentinels: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        at = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return {"": f"redis at {at}", CLUSTER: f"redis cluster at {at}"}.get(
            self.kind, f"redis '{self.service}' by the Sentinels at {at}"
        )


def redis_place(url: str) -> RedisPlace:
    """Read the URL. Raises StoreError: it has another form. Never tells a password."""
    found = _SCHEME.fullmatch(url)
    if found is None:
        raise _fault("no URL of Redis", "")
    scheme, kind, rest = found[1], found[2] or "", found[3]
    if not kind:
        return _one_server(url)
    address, _, query = rest.partition("?")
    before, _, path = address.partition("/")
    credentials, _, hosts = before.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if options.keys() - _OPTIONS[kind]:  # not told which: behind a `?` in a password it is the rest of that
        raise _fault(f"an option of it is not known, only {', '.join(sorted(_OPTIONS[kind]))}", kind)
    tls = {"ssl": scheme == "rediss"} | {name: options[name] for name in ("ssl_ca_certs",) if name in options}
    service, db = _path(path, kind)
    sentinels = {
        name: options[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in options
    }
    return RedisPlace(
        kind=kind,
        hosts=tuple(_host(one, kind) for one in hosts.split(",")),
        service=service,
        settings=tls | _credentials(credentials) | ({"db": db} if kind == SENTINEL else {}),
        of_sentinels=tls | sentinels,
    )


def connected(place: RedisPlace, *, timeout_ms: int) -> Any:
    """A client. Of a server or Sentinels it connects with the first call; a cluster is asked at once for its nodes.

    Raises:
        RedisError, RedisClusterException: no node of the cluster answers.
    """
    timeouts = {"socket_timeout": timeout_ms / 1000, "socket_connect_timeout": timeout_ms / 1000}
    once = Retry(NoBackoff(), 0)
    if place.kind == CLUSTER:
        nodes = [_Node(host, port) for host, port in place.hosts]
        # One more try than elsewhere: a slot that has moved is found by it.
        return _Cluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **place.settings, **timeouts)
    if place.kind == SENTINEL:
        sentinels = _Sentinel(list(place.hosts), sentinel_kwargs={**place.of_sentinels, **timeouts, "retry": once})
        return sentinels.master_for(place.service, **place.settings, **timeouts, retry=once)
    return redis.Redis.from_url(place.url, retry=once, **timeouts)


def _one_server(url: str) -> RedisPlace:
    try:
        settings = _parsed(url)
    except ValueError:  # its text may hold a part of a password
        raise _fault("its host, port or an option of it is none", "") from None
    return RedisPlace(kind="", hosts=((settings.get("host", "localhost"), settings.get("port", 6379)),), url=url)


def _path(path: str, kind: str) -> tuple[str, int]:
    """What Sentinels call the server, and the database."""
    parts: Sequence[str] = path.split("/") if path else []
    if kind == CLUSTER:
        if path not in ("", "0"):
            raise _fault("a cluster has one database, no path", kind)
        return "", 0
    if not 1 <= len(parts) <= 2 or not parts[0]:
        raise _fault("no name of the server that the Sentinels watch", kind)
    if len(parts) == 2 and not parts[1].isdecimal():
        raise _fault("the database is no number", kind)
    return unquote(parts[0]), int(parts[1]) if len(parts) == 2 else 0


def _host(sent: str, kind: str) -> Host:
    found = _HOST.fullmatch(sent)
    if found is None or not 0 < (port := int(found[2] or _PORTS[kind])) < 65536:
        raise _fault("one of its hosts is none", kind)
    return found[1].strip("[]"), port


def _credentials(sent: str) -> dict[str, str]:
    user, _, password = sent.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in named.items() if value}


def _fault(what: str, kind: str) -> StoreError:
    return StoreError(f"online_store.url: {what}, expected {_FORMS[kind]}. Mend the configuration")
