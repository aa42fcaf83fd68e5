"""The vocabulary of [kafka.options]: librdkafka's names, which are the flattest. lakehouse/kafka/clients.py translates them for each client.

A name may be written as a variable must write it: `sasl_password`. Secrets come from the environment alone.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.config.overlay import wrong

SECTION = "kafka.options"
VARIABLE = "STITCHLAKE__KAFKA__OPTIONS__"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
OAUTH = "OAUTHBEARER"
SECRETS = ("sasl.password", "ssl.key.password", "sasl.oauthbearer.client.secret")

_ANY = (r"(?s).+", "text")
_FILE = (r".*\S.*", "a PEM file")
_NUMBER = (r"\d{1,10}", "a whole number")
# How a broker is spoken to. Every client knows these. name -> (pattern the whole text must match, in words).
SECURITY: Mapping[str, tuple[str, str]] = {
    "security.protocol": (
        "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
        "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    ),
    "sasl.mechanism": ("|".join(("PLAIN", *SCRAM, OAUTH)), f"PLAIN, {', '.join(SCRAM)} or {OAUTH}"),
    "sasl.username": _ANY,
    "sasl.password": _ANY,
    "sasl.oauthbearer.token.endpoint.url": (r"https?://\S+", "an address such as https://login.example.com/token"),
    "sasl.oauthbearer.client.id": _ANY,
    "sasl.oauthbearer.client.secret": _ANY,
    "sasl.oauthbearer.scope": _ANY,
    "ssl.ca.location": _FILE,
    "ssl.certificate.location": _FILE,
    "ssl.key.location": _FILE,
    "ssl.key.password": _ANY,
    "ssl.endpoint.identification.algorithm": ("https|none", "https or none"),
}


@dataclass(frozen=True, kw_only=True)
class PassedOn:
    """What each client calls an option that is handed on as it is; None = that client has no such option."""

    expected: tuple[str, str]
    java: str | None
    librdkafka: str | None
    python_consumer: str | None
    python_producer: str | None

    @property
    def unknown_to(self) -> tuple[str, ...]:
        """Clients that are not told."""
        clients = {
            "Spark": self.java,
            "librdkafka": self.librdkafka,
            "kafka-python's consumers": self.python_consumer,
            "kafka-python's producers": self.python_producer,
        }
        return tuple(client for client, name in clients.items() if name is None)


def _everywhere(name: str, expected: tuple[str, str] = _NUMBER, librdkafka: str | None = None) -> PassedOn:
    python = name.replace(".", "_")
    return PassedOn(
        expected=expected, java=name, librdkafka=librdkafka or name, python_consumer=python, python_producer=python
    )


PASSED_ON: Mapping[str, PassedOn] = {
    "client.id": _everywhere("client.id", (r"[A-Za-z0-9._-]{1,249}", "letters, digits, dot, underscore or dash")),
    "client.rack": PassedOn(
        expected=_ANY,
        java="client.rack",
        librdkafka="client.rack",
        python_consumer="client_rack",
        python_producer=None,
    ),
    "client.dns.lookup": _everywhere(
        "client.dns.lookup",
        (
            "use_all_dns_ips|resolve_canonical_bootstrap_servers_only",
            "use_all_dns_ips or resolve_canonical_bootstrap_servers_only",
        ),
    ),
    "connections.max.idle.ms": _everywhere("connections.max.idle.ms"),
    "metadata.max.age.ms": _everywhere("metadata.max.age.ms"),
    "receive.buffer.bytes": _everywhere("receive.buffer.bytes", librdkafka="socket.receive.buffer.bytes"),
    "send.buffer.bytes": _everywhere("send.buffer.bytes", librdkafka="socket.send.buffer.bytes"),
    "reconnect.backoff.ms": _everywhere("reconnect.backoff.ms"),
    "reconnect.backoff.max.ms": _everywhere("reconnect.backoff.max.ms"),
    "request.timeout.ms": _everywhere("request.timeout.ms", librdkafka="socket.timeout.ms"),
    "retry.backoff.ms": _everywhere("retry.backoff.ms"),
    "retry.backoff.max.ms": PassedOn(
        expected=_NUMBER,
        java="retry.backoff.max.ms",
        librdkafka="retry.backoff.max.ms",
        python_consumer=None,
        python_producer=None,
    ),
}
_KNOWN = (*SECURITY, *PASSED_ON)
_BY_VARIABLE = {name.replace(".", "_"): name for name in _KNOWN}
# What other clients' guides call it, and what stands for it here.
_INSTEAD = (
    (r"sasl\.jaas\.config", "write sasl.username and sasl.password: the line is made from them"),
    (r"ssl\.truststore\..*", "write ssl.ca.location, a PEM file"),
    (r"ssl\.keystore\..*", "write ssl.certificate.location and ssl.key.location, PEM files"),
    (
        r"sasl\.login\.callback\.handler\.class|sasl\.oauthbearer\.method",
        "leave it out: it follows from sasl.mechanism",
    ),
    (r"(bootstrap\.servers|metadata\.broker\.list)", "write kafka.bootstrap_servers"),
)
_ONE_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*\}")


class Secret(str):
    """A text that prints as nothing: clients log what they are given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(hidden)'"


def read(layer: Mapping[str, Any], where: str, faults: list[str], *, is_file: bool) -> dict[str, Any]:
    """`layer` of the configuration with its Kafka options under their names, as text.

    Written is `sasl.password`, in quotes or not, or `sasl_password`. What is no option, and a secret that stands in a file, goes to
    `faults` and is left out.
    """
    kafka = layer.get("kafka")
    if not isinstance(kafka, dict) or not isinstance(kafka.get("options"), dict):
        return dict(layer)
    options = {}
    for written, value in _flat(kafka["options"]):
        name = _BY_VARIABLE.get(written.lower().replace(".", "_"))
        if name is None:
            faults.append(f"{where}: {_unknown(written)}")
        elif not isinstance(value, str | int):
            faults.append(f"{where}: {wrong(SECTION, name, value, 'text')}")
        elif is_file and name in SECRETS and not (isinstance(value, str) and _ONE_VARIABLE.fullmatch(value)):
            variable = VARIABLE + name.replace(".", "_").upper()
            faults.append(
                f"{where}: [{SECTION}] {name}: a secret stands in the file, expected it in the environment. Set {variable}, "
                "and take it out of the file"
            )
        else:
            options[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return {**layer, "kafka": {**kafka, "options": options}}


def faults(options: Mapping[str, str]) -> Iterator[str]:
    """One text for every value that will not do, or else for what is missing beside others."""
    wrong_ones = list(_wrong(options))
    yield from wrong_ones or _beside(options)


def sealed(options: Mapping[str, str]) -> dict[str, str]:
    """The options with secrets that print as nothing."""
    return {name: Secret(value) if name in SECRETS else value for name, value in options.items()}


def is_secured(options: Mapping[str, str]) -> bool:
    """Whether the broker is one that is spoken to in another way than the local one."""
    return options.get("security.protocol", "PLAINTEXT") != "PLAINTEXT"


def told(options: Mapping[str, str]) -> list[str]:
    """One line for every option that not every client is given."""
    partly = {name: PASSED_ON[name].unknown_to for name in options if name in PASSED_ON}
    return [
        f"{SECTION}.{name}: not given to {' and '.join(to)}, which have no such option"
        for name, to in partly.items()
        if to
    ]


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _unknown(written: str) -> str:
    dotted = written.lower().replace("_", ".")
    for pattern, instead in _INSTEAD:
        if re.fullmatch(pattern, dotted):
            return f"[{SECTION}] '{written}' is not how it is said here; {instead}"
    (nearest,) = difflib.get_close_matches(dotted, _KNOWN, n=1, cutoff=0.0)
    return f"[{SECTION}] unknown key '{written}', no client is given it; did you mean '{nearest}'?"


def _wrong(options: Mapping[str, str]) -> Iterator[str]:
    for name, value in options.items():
        pattern, words = SECURITY[name] if name in SECURITY else PASSED_ON[name].expected
        if "${" not in value and not re.fullmatch(pattern, value):
            yield f"conf: {wrong(SECTION, name, value, words)}"


def _beside(options: Mapping[str, str]) -> Iterator[str]:
    protocol, mechanism = options.get("security.protocol", "PLAINTEXT"), options.get("sasl.mechanism")
    needed: dict[str, str] = {}  # name -> beside what
    if protocol.startswith("SASL"):
        needed["sasl.mechanism"] = f"security.protocol = {protocol}"
    if mechanism == OAUTH:
        endpoint = (
            "sasl.oauthbearer.token.endpoint.url",
            "sasl.oauthbearer.client.id",
            "sasl.oauthbearer.client.secret",
        )
        needed |= dict.fromkeys(endpoint, f"sasl.mechanism = {mechanism}")
    elif mechanism is not None:
        needed |= dict.fromkeys(("sasl.username", "sasl.password"), f"sasl.mechanism = {mechanism}")
    for one, other in (
        ("ssl.certificate.location", "ssl.key.location"),
        ("ssl.key.location", "ssl.certificate.location"),
    ):
        if one in options:
            needed[other] = one
    if "ssl.key.password" in options:
        needed["ssl.key.location"] = "ssl.key.password"
    for name, beside in needed.items():
        if name not in options:
            yield f"conf: [{SECTION}] {name}: missing, expected beside {beside}. Set {VARIABLE}{name.replace('.', '_').upper()}"
    for name in options:
        if (name.startswith("sasl.") and not protocol.startswith("SASL")) or (
            name.startswith("ssl.") and not protocol.endswith("SSL")
        ):
            kind = "SASL_SSL or SASL_PLAINTEXT" if name.startswith("sasl.") else "SASL_SSL or SSL"
            yield f"conf: [{SECTION}] {name}: of no use with security.protocol = {protocol}, expected {kind}. Set that, or take this out"
            return
