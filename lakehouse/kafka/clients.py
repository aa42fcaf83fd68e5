"""How each Kafka client is told where the brokers are and how they are spoken to: [kafka.options] in its own words.

Whoever makes a client asks here; nobody else knows a client's names of these settings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lakehouse.config.kafka_options import OAUTH, PASSED_ON, SCRAM, SECTION, SECURITY, Secret
from lakehouse.errors import ConfigError

_JAAS_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    **dict.fromkeys(SCRAM, "org.apache.kafka.common.security.scram.ScramLoginModule"),
    OAUTH: "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
}
_OAUTH_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
_JAAS_NAMES: Mapping[str, str] = {
    "sasl.username": "username",
    "sasl.password": "password",
    "sasl.oauthbearer.client.id": "clientId",
    "sasl.oauthbearer.client.secret": "clientSecret",
    "sasl.oauthbearer.scope": "scope",
}
_SAME_IN_JAVA = ("security.protocol", "sasl.mechanism", "sasl.oauthbearer.token.endpoint.url")
_IN_PYTHON: Mapping[str, str] = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
}


class Cluster(Protocol):
    """Where Kafka is: [kafka] of the configuration, or the local broker."""

    @property
    def bootstrap_servers(self) -> str: ...

    @property
    def options(self) -> Mapping[str, str]:
        """As lakehouse/config/kafka_options.py has them, checked."""
        ...


def spark(cluster: Cluster) -> dict[str, str]:
    """Options of Spark's Kafka source and sink.

    Certificates and keys go as text, so that executors need no file of the driver's.

    Raises:
        ConfigError: a PEM file cannot be read.
    """
    return {f"kafka.{name}": value for name, value in java(cluster).items()}


def java(cluster: Cluster) -> dict[str, str]:
    """Settings of Kafka's own client. Raises: as `spark`."""
    options = cluster.options
    settings = {"bootstrap.servers": cluster.bootstrap_servers}
    settings |= {name: options[name] for name in _SAME_IN_JAVA if name in options}
    settings |= {one.java: options[name] for name, one in PASSED_ON.items() if one.java and name in options}
    if (mechanism := options.get("sasl.mechanism")) is not None:
        settings["sasl.jaas.config"] = jaas(mechanism, options)
        if mechanism == OAUTH:
            settings["sasl.login.callback.handler.class"] = _OAUTH_HANDLER
    if (check := options.get("ssl.endpoint.identification.algorithm")) is not None:
        settings["ssl.endpoint.identification.algorithm"] = check.removeprefix("none")
    return settings | _stores(options)


def jaas(mechanism: str, options: Mapping[str, str]) -> str:
    """The line Kafka's own client logs in with."""
    said = [f"{name}={_quoted(options[option])}" for option, name in _JAAS_NAMES.items() if option in options]
    return Secret(f"{_JAAS_MODULES[mechanism]} required {' '.join(said)};")


def librdkafka(cluster: Cluster) -> dict[str, Any]:
    """Settings of librdkafka. Raises: as `spark`."""
    options = cluster.options
    _hold_to_files(options)
    settings: dict[str, Any] = {"bootstrap.servers": cluster.bootstrap_servers}
    settings |= {name: options[name] for name in SECURITY if name in options}
    settings |= {one.librdkafka: options[name] for name, one in PASSED_ON.items() if one.librdkafka and name in options}
    if options.get("sasl.mechanism") == OAUTH:
        settings["sasl.oauthbearer.method"] = "oidc"
    return settings


def python_consumer(cluster: Cluster) -> dict[str, Any]:
    """Keywords of kafka-python's consumer. Raises: as `spark`."""
    passed_on = {
        one.python_consumer: cluster.options[name] for name, one in PASSED_ON.items() if name in cluster.options
    }
    return _python(cluster, passed_on)


def python_producer(cluster: Cluster) -> dict[str, Any]:
    """Keywords of kafka-python's producer. Raises: as `spark`."""
    passed_on = {
        one.python_producer: cluster.options[name] for name, one in PASSED_ON.items() if name in cluster.options
    }
    return _python(cluster, passed_on)


def _python(cluster: Cluster, passed_on: Mapping[str | None, str]) -> dict[str, Any]:
    # Here, as below: they need kafka-python and HTTP, Spark's options neither.
    from lakehouse.kafka import python_messages

    python_messages.make_safe()
    options = cluster.options
    _hold_to_files(options)
    settings: dict[str, Any] = {"bootstrap_servers": cluster.bootstrap_servers}
    settings |= {name: options[option] for option, name in _IN_PYTHON.items() if option in options}
    settings |= {
        name: int(value) if name.endswith(("_ms", "_bytes")) else value
        for name, value in passed_on.items()
        if name is not None
    }
    if options.get("ssl.endpoint.identification.algorithm") == "none":
        settings["ssl_check_hostname"] = False
    if options.get("sasl.mechanism") == OAUTH:
        from lakehouse.kafka.oauth_tokens import token_provider

        settings["sasl_oauth_token_provider"] = token_provider(options)
    return settings


def _quoted(text: str) -> str:
    """As java.io.StreamTokenizer reads it back."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _stores(options: Mapping[str, str]) -> dict[str, str]:
    """The PEM files as Kafka's own client takes them: text, the key in PKCS #8 and open."""
    settings = {}
    if "ssl.ca.location" in options:
        settings["ssl.truststore.type"] = "PEM"
        settings["ssl.truststore.certificates"] = _certificates("ssl.ca.location", options)
    if "ssl.certificate.location" in options:
        settings["ssl.keystore.type"] = "PEM"
        settings["ssl.keystore.certificate.chain"] = _certificates("ssl.certificate.location", options)
        settings["ssl.keystore.key"] = _key(options)
    return settings


def _certificates(name: str, options: Mapping[str, str]) -> str:
    from cryptography import x509  # here: 0.1 s that an open broker need not cost
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(_bytes(name, options))
    except ValueError as error:
        raise _wrong_file(name, options, "no certificate in it") from error
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in found)


def _key(options: Mapping[str, str]) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    name, password = "ssl.key.location", options.get("ssl.key.password")
    try:
        key = load_pem_private_key(_bytes(name, options), None if password is None else password.encode())
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _wrong_file(name, options, "no private key that ssl.key.password opens") from error
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _hold_to_files(options: Mapping[str, str]) -> None:
    """Clients that read the files themselves say no more of a wrong one than that there is a fault."""
    _stores(options)


def _bytes(name: str, options: Mapping[str, str]) -> bytes:
    try:
        return Path(options[name]).read_bytes()
    except OSError as error:
        raise _wrong_file(name, options, (error.strerror or "cannot be read").lower()) from error


def _wrong_file(name: str, options: Mapping[str, str], what: str) -> ConfigError:
    return ConfigError(
        f"{SECTION}.{name}: got '{options[name]}', {what}, expected a PEM file. Mend the path or the file"
    )
