"""Asks a schema registry for schemas, by the protocol of Confluent's. Source: docs.confluent.io, Schema Registry API Reference.

A registry that says it does not know a schema has answered. Whatever else is wrong is no answer: it is down, it refuses us, or the
address is of something else, whose 404 says nothing of any schema.
"""

from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.util.retry import Retry

from lakehouse.config import SchemaRegistryConfig
from lakehouse.errors import ConfigError, RegistryError
from lakehouse.schemas.schema import AVRO, Schema

_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_PASSING = (429, 500, 502, 503, 504)
_TRIES_AGAIN = 2
FIRST_PAUSE_SECONDS = 0.2  # the second try is at once, the third after two of it


class Registry:
    """Of one configuration; its connections are made when they are needed."""

    def __init__(self, config: SchemaRegistryConfig) -> None:
        self._config = config
        self._opened: requests.Session | None = None

    def of_id(self, number: int) -> Schema | None:
        """None = the registry does not know the id, or is gone for good.

        Raises:
            RegistryError: it did not answer.
            ConfigError: there is no address of one.
        """
        return self._schema(f"schemas/ids/{number}")

    def of_version(self, subject: str, version: int) -> Schema | None:
        """As `of_id`."""
        return self._schema(f"subjects/{quote(subject, safe='')}/versions/{version}")

    def _schema(self, place: str) -> Schema | None:
        told = self._asked(place)
        if told is None:
            return None
        references: dict[str, str] = {}
        for one in told.get("references") or ():
            inner = self.of_version(one["subject"], one["version"])
            if inner is None:
                raise self._no_answer(place, f"a reference to {one['subject']} {one['version']}, which is not there")
            references |= {**inner.references, one["name"]: inner.text}
        return Schema(type=told.get("schemaType") or AVRO, text=told["schema"], references=references)

    def _asked(self, place: str) -> dict[str, Any] | None:
        config = self._config
        if config.is_gone:
            return None
        if not config.url:
            raise ConfigError(
                f"schema_registry.url: got nothing, expected an address to ask for {place}. Set STITCHLAKE__SCHEMA_REGISTRY__URL"
            )
        try:
            answer = self._session.get(
                f"{config.url.rstrip('/')}/{place}", timeout=config.timeout_seconds, verify=config.ca_location or True
            )
        except (requests.RequestException, OSError) as error:  # the latter of a file of authorities that is not there
            raise self._no_answer(place, type(error).__name__) from error
        told = _object(answer)
        if answer.status_code == 200 and isinstance(told.get("schema"), str):
            return told
        if answer.status_code == 404 and isinstance(told.get("error_code"), int):
            return None
        raise self._no_answer(place, f"status {answer.status_code}")

    @property
    def _session(self) -> requests.Session:
        if self._opened is None:
            self._opened = session = requests.Session()
            retry = Retry(
                total=_TRIES_AGAIN,
                other=0,  # a certificate that nobody trusts
                backoff_factor=FIRST_PAUSE_SECONDS,
                status_forcelist=_PASSING,
                raise_on_status=False,
                respect_retry_after_header=False,
            )
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            session.headers["Accept"] = _ACCEPT
            if self._config.token:
                session.headers["Authorization"] = f"Bearer {self._config.token}"
            elif self._config.username:
                # As bytes: of a text requests takes Latin letters alone.
                session.auth = HTTPBasicAuth(self._config.username.encode(), self._config.password.encode())
        return self._opened

    def _no_answer(self, place: str, got: str) -> RegistryError:
        return RegistryError(
            f"schema_registry.url: {self._config.url} was asked for {place}, got {got}, expected a schema. Start it, or mend the address, the "
            "authority or the password"
        )


def _object(answer: requests.Response) -> dict[str, Any]:
    """The JSON object that was answered; an empty one where something else was."""
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
