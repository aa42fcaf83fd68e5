"""Why a broker that is there refuses us: the option that is likely wrong, found in what librdkafka says."""

import re
from collections.abc import Iterable

from lakehouse.config.kafka_options import OAUTH, SECTION, VARIABLE
from lakehouse.errors import BrokerError
from lakehouse.kafka.clients import Cluster

# What it says -> the option, what was expected of it. The first that is found.
_SIGNS = (
    (r"not valid in current SASL state", "security.protocol", "that of the listener, which asks for no password"),
    (r"mechanism handshake failed", "sasl.mechanism", "one that the broker has"),
    (r"acquire SASL OAUTHBEARER token", "sasl.oauthbearer.client.secret", "what the server of tokens knows"),
    (r"PLAINTEXT broker listener", "security.protocol", "that of the listener, which speaks no TLS"),
    (r"Disconnected|broker might require SASL", "security.protocol", "that of the listener"),
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


def refused(cluster: Cluster, heard: Iterable[str]) -> Refused | None:
    """What the broker's refusal is, of what a client told; None when nothing tells one."""
    for told in heard:
        said = _AFTER_TOKEN.sub("", _AFTER.sub("", _WHERE.sub("", told)))
        for sign, option, expected in _SIGNS:
            if re.search(sign, told):
                return _refused(cluster, option, _OPENSSL.sub("", said), expected)
    return None


def _refused(cluster: Cluster, option: str, said: str, expected: str) -> Refused:
    options = cluster.options
    if option == "sasl.password" and options.get("sasl.mechanism") == OAUTH:
        option, expected = "sasl.oauthbearer.client.secret", "a client whose tokens the broker takes"
    user = options.get("sasl.username") if option == "sasl.password" else None
    whom = "" if user is None else f" for user '{user}'"
    variable = VARIABLE + option.replace(".", "_").upper()
    return Refused(
        option,
        f"{SECTION}.{option}: refused by {cluster.bootstrap_servers}{whom}, got '{said}', expected {expected}. Set {variable}",
    )
