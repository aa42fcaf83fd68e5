"""Why a broker that is there refuses us: the option that is likely wrong, found in what librdkafka says.

A connection that is closed without a word may be that of a listener that speaks otherwise. So closes one, too, that is just going down, or a load
balancer with no broker behind it: that passes.
"""

import re
from collections.abc import Iterable

from lakehouse.config.kafka_options import OAUTH, SECTION, VARIABLE
from lakehouse.errors import BrokerError
from lakehouse.kafka.clients import Cluster

_CLOSED = r"Disconnected|broker might require SASL"
# What it says -> the option, what was expected of it. The first that is found.
_SIGNS = (
    (r"not valid in current SASL state", "security.protocol", "that of the listener, which asks for no password"),
    (r"mechanism handshake failed", "sasl.mechanism", "one that the broker has"),
    (r"acquire SASL OAUTHBEARER token", "sasl.oauthbearer.client.secret", "what the server of tokens knows"),
    (r"PLAINTEXT broker listener", "security.protocol", "a broker that is up, or else that of the listener, which speaks no TLS"),
    (_CLOSED, "security.protocol", "a broker that is up, or else that of the listener"),
    (r"certificate required|bad certificate|alert unknown ca", "ssl.certificate.location", "a certificate the broker knows"),
    (r"certificate verify failed|could not be verified", "ssl.ca.location", "the authority of the broker's certificate, which names the host that was asked"),
    (r"SASL|[Aa]uthenticat", "sasl.password", "that of a user the broker knows"),
)  # fmt: skip
_WHERE = re.compile(r"^.*\S+:\d+/\S+: ")  # sasl_ssl://host:port/bootstrap; in the log a thread's name before it
_AFTER_TOKEN = re.compile(
    r"(?s)(?<=OAUTHBEARER token).*"
)  # then comes what the server said, which may repeat the secret
_AFTER = re.compile(r" \(after \d+ms in state \w+.*\)$")
_OPENSSL = re.compile(r"\S+\.c:\d+:\w+: error:\w+:SSL routines::?|error:\w+:SSL routines::?")


class Refused(BrokerError):
    """The options are wrong, as far as one can tell. `option`: which."""

    may_pass = False

    def __init__(self, option: str, text: str) -> None:
        super().__init__(text)
        self.option = option

    @property
    def is_final(self) -> bool:
        """A broker has looked at who we are: no other will say otherwise."""
        return self.option.startswith("sasl.")


class Closed(Refused):
    """The connection was closed without a word: the option may be wrong, or the broker not up."""

    may_pass = True


def refused(cluster: Cluster, heard: Iterable[str]) -> Refused | None:
    """What the broker's refusal is, of what a client told; None when nothing tells one. What was said counts before what was closed."""
    found = [one for told in heard if (one := _told(cluster, told)) is not None]
    return next((one for one in found if not one.may_pass), found[0] if found else None)


def _told(cluster: Cluster, told: str) -> Refused | None:
    said = _AFTER_TOKEN.sub("", _AFTER.sub("", _WHERE.sub("", told)))
    for sign, option, expected in _SIGNS:
        if re.search(sign, told):
            kind = Closed if re.search(_CLOSED, told) else Refused
            return _refused(kind, cluster, option, _OPENSSL.sub("", said), expected)
    return None


def _refused(kind: type[Refused], cluster: Cluster, option: str, said: str, expected: str) -> Refused:
    options = cluster.options
    if option == "sasl.password" and options.get("sasl.mechanism") == OAUTH:
        option, expected = "sasl.oauthbearer.client.secret", "a client whose tokens the broker takes"
    user = options.get("sasl.username") if option == "sasl.password" else None
    whom = "" if user is None else f" for user '{user}'"
    variable = VARIABLE + option.replace(".", "_").upper()
    return kind(
        option,
        f"{SECTION}.{option}: refused by {cluster.bootstrap_servers}{whom}, got '{said}', expected {expected}. Set {variable}",
    )
