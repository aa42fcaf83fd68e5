"""Where actions and exports go: `conf/destinations.yaml` as frozen values. Only what is declared there is ever called.

Actions go to webhooks, mailboxes and topics; exports to webhooks, topics, databases, folders and object stores.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from lakehouse.actions.signature import ID, SIGNATURE, TIMESTAMP, key_of
from lakehouse.config.declarations import Declared, Name, QuietHours, checked, read_document, refuse
from lakehouse.errors import ConfigError

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OURS = frozenset({"idempotency-key", "content-type", "content-length", "host", "transfer-encoding", "connection"})
_OURS |= {ID, TIMESTAMP, SIGNATURE}
Unknown = Literal["retry", "give_up"]


class Destination(Declared):
    """per_second, quiet_hours: None = those of [actions]. allow_private: addresses of private networks, too.

    if_unknown: what to do when a crash left it open whether an attempt got through. retry: again, with the same key, for
    destinations that know a key again. give_up: a lost one is better than two.
    """

    name: Name
    per_second: float | None = Field(default=None, ge=0.001, le=10_000)
    quiet_hours: QuietHours | None = None
    allow_private: bool = False
    if_unknown: Unknown | None = None
    is_enabled: bool = True


class Webhook(Destination):
    """POST of JSON with an Idempotency-Key. Headers may hold secrets: `${NAME}` of the environment.

    signing_secrets: each call is signed by each of them, see signature.py; without one nobody knows that it is us.
    """

    kind: Literal["webhook"]
    url: SecretStr
    headers: Mapping[str, SecretStr] = {}
    signing_secrets: tuple[SecretStr, ...] = Field(default=(), max_length=4)

    @property
    def address(self) -> str:
        """Where rows of exports end, so that they are others elsewhere. Never told: it may hold a secret."""
        return self.url.get_secret_value()

    @property
    def retries_unknown(self) -> bool:
        """Whether an attempt that may have got through is made again; the default for webhooks."""
        return self.if_unknown != "give_up"

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        parts = urlsplit(self.url.get_secret_value())
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
            raise ValueError("url: expected https://host/path, without a user name")
        if parts.scheme == "http" and not self.allow_private:
            raise ValueError("url: http is only for a private network, expected https, or allow_private: true")
        for secret in self.signing_secrets:
            try:
                key_of(secret.get_secret_value())
            except ValueError as error:
                raise ValueError(f"signing_secrets: {error}") from None
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"headers: '{name[:40]}' cannot be set, expected a header of the destination's own")
            if not value.get_secret_value().isprintable():
                raise ValueError(f"headers: {name}: a character that does not print")
        return self


class Mail(Destination):
    """SMTP. security: tls (from the first byte), starttls, or none, which is only for a private network."""

    kind: Literal["email"]
    host: str = Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")
    port: int = Field(ge=1, le=65535)
    security: Literal["tls", "starttls", "none"]
    user: SecretStr | None = None
    password: SecretStr | None = None
    sender: str = Field(pattern=r"^[^\r\n]{3,320}$")

    @property
    def retries_unknown(self) -> bool:
        """Whether a letter that may have been sent is sent again; only where it is asked for."""
        return self.if_unknown == "retry"

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.security == "none" and not self.allow_private:
            raise ValueError(
                "security: none is only for a private network, expected starttls or tls, or allow_private: true"
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("user, password: expected both or neither")
        if "@" not in self.sender:
            raise ValueError("sender: expected an e-mail address, such as Shop <shop@example.com>")
        return self


class Topic(Destination):
    """A Kafka topic of the same broker: whoever subscribes acts. The record's key tells a repeat."""

    kind: Literal["topic"]
    topic: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")

    @property
    def address(self) -> str:
        """As of `Webhook`."""
        return self.topic

    @property
    def retries_unknown(self) -> bool:
        """Whether a record that may have been written is written again; the default for topics."""
        return self.if_unknown != "give_up"


class Database(Destination):
    """Tables of a database. security: as of libpq's sslmode; `disable` is only for a private network."""

    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")
    port: int = Field(ge=1, le=65535)
    database: str = Field(pattern=r"^[^\s]{1,63}$")
    user: SecretStr
    password: SecretStr
    security: Literal["verify-full", "require", "disable"] = "verify-full"

    @property
    def address(self) -> str:
        """As of `Webhook`."""
        return f"{self.host}:{self.port}/{self.database}"

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.security == "disable" and not self.allow_private:
            raise ValueError(
                "security: disable is only for a private network, expected verify-full or require, or allow_private: true"
            )
        return self


class Postgres(Database):
    """PostgreSQL."""

    kind: Literal["postgres"]
    port: int = Field(default=5432, ge=1, le=65535)


class Mysql(Database):
    """MySQL, MariaDB, and what else speaks as they do."""

    kind: Literal["mysql"]
    port: int = Field(default=3306, ge=1, le=65535)


class Folder(Destination):
    """Files of a folder on this machine; a relative path is one of the project's."""

    kind: Literal["folder"]
    path: Path

    @property
    def address(self) -> str:
        """As of `Webhook`."""
        return str(self.path)


class Bucket(Destination):
    """Objects of a store that speaks S3. endpoint: None = Amazon's own. Without keys those of the machine: its environment, or its role.

    prefix: of every object's name. Without TLS only in a private network.
    """

    kind: Literal["s3"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", pattern=r"^([A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*)?$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{2,32}$")
    endpoint: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None

    @property
    def address(self) -> str:
        """As of `Webhook`."""
        return f"{self.endpoint}/{self.bucket}/{self.prefix}"

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key, secret_key: expected both or neither")
        if {".", ".."} & set(self.prefix.split("/")):
            raise ValueError("prefix: expected names of folders, without . and ..")
        if self.endpoint is None:
            return self
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None or parts.path:
            raise ValueError("endpoint: expected https://host[:port]")
        if parts.scheme == "http" and not self.allow_private:
            raise ValueError("endpoint: http is only for a private network, expected https, or allow_private: true")
        return self


Known = Webhook | Mail | Topic
Place = Webhook | Topic | Postgres | Mysql | Folder | Bucket
"""Where an export may go."""
_ACTING = ("webhook", "email", "topic")
_ONLY_EXPORTED_TO = ("postgres", "mysql", "folder", "s3")
_EXPORTED_TO = ("webhook", "topic", *_ONLY_EXPORTED_TO)


class _Entry(Declared):
    """One entry of the file: the kind tells what else it has."""

    destination: Annotated[Webhook | Mail | Topic | Postgres | Mysql | Folder | Bucket, Field(discriminator="kind")]

    @property
    def name(self) -> str:
        return self.destination.name


def read_destinations(path: Path, environ: Mapping[str, str]) -> dict[str, Known]:
    """Read and check the file; those enabled that actions go to, by name. A secret is asked for only where its destination is used.

    Raises:
        ConfigError: one line for every fault found, with its place; never with a secret in it.
    """
    used = [entry for entry in _enabled(path) if entry[1].get("kind") not in _ONLY_EXPORTED_TO]
    read = _read(path, used, environ)
    return {name: one for name, one in read.items() if isinstance(one, Webhook | Mail | Topic)}


def read_place(path: Path, environ: Mapping[str, str], name: str) -> Place:
    """The destination of that name, which exports go to. No other's secrets are asked for.

    Raises:
        ConfigError: there is none, it is disabled or mail, or something is wrong with it.
    """
    read = _read(path, [entry for entry in _enabled(path) if entry[1].get("name") == name], environ)
    found: Place | Mail | None = read.get(name)
    if found is None or isinstance(found, Mail):
        got = "one that is not there, or is disabled" if found is None else "kind email"
        raise ConfigError(
            f"{path.name}: destination '{name}': got {got}, expected one of {', '.join(_EXPORTED_TO)}. Declare it"
        )
    return found


def declared_names(path: Path) -> list[str]:
    """Those enabled that actions go to, for whoever only checks names: no secret is asked for.

    Raises:
        ConfigError: it is no file of destinations.
    """
    return [str(entry.get("name")) for _, entry in _enabled(path) if entry.get("kind") in _ACTING]


def _enabled(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The entries as they stand there, with their numbers. What is no mapping is one, too, and is refused where it is read."""
    sent = read_document(path, "destinations").get("destinations")
    if not isinstance(sent, list):
        raise ConfigError(f"{path.name}: destinations: expected a list")
    entries = [(number, entry if isinstance(entry, dict) else {"": entry}) for number, entry in enumerate(sent)]
    return [(number, entry) for number, entry in entries if entry.get("is_enabled") is not False]


def _read(path: Path, entries: Sequence[tuple[int, dict[str, Any]]], environ: Mapping[str, str]) -> dict[str, Any]:
    faults: list[str] = []
    place = f"{path.name}: destinations"
    resolved = [{"destination": _resolved(entry, environ, f"{place}[{number}]", faults)} for number, entry in entries]
    found = {entry.destination.name: entry.destination for _, entry in checked(resolved, _Entry, place, faults)}
    refuse(faults)
    return found


def _resolved(value: Any, environ: Mapping[str, str], place: str, faults: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(inner, environ, f"{place}.{key}", faults) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, environ, f"{place}[{number}]", faults) for number, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in _REFERENCE.findall(value):
        if name not in environ:
            faults.append(f"{place}: ${{{name}}} is not in the environment. Set it, or disable the destination")
    return _REFERENCE.sub(lambda reference: environ.get(reference[1], ""), value)
