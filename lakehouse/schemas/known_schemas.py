"""The schemas of the configured registry: remembered, else as the lake keeps them, else asked for, and kept."""

import time
from collections.abc import Callable

from lakehouse.config import Config
from lakehouse.schemas.kept_schemas import KeptSchemas
from lakehouse.schemas.registry import Registry
from lakehouse.schemas.schema import Schema

UNKNOWN_SECONDS = (
    1.0  # until an id that was not there is asked for again: many records of it may come, and then the schema
)
_MOST_UNKNOWN = 10_000


class KnownSchemas:
    """Thread-safe: at worst a schema is asked for twice. Nothing is opened before the first question."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = Registry(config.schema_registry)
        self._place = (config.lake.root, config.schema_registry.url)
        self._clock = clock
        self._known: dict[int, Schema] = {}
        self._asked: dict[int, float] = {}  # id that was not there -> when that was

    def of_id(self, number: int) -> Schema | None:
        """None = the registry does not know the id, or is gone for good.

        Raises:
            RegistryError: the schema is not kept, and the registry did not answer.
            ConfigError: it is not kept, and there is no address of a registry.
        """
        schema = self._known.get(number)
        if schema is None and not self._was_just_asked(number):
            schema = self._looked_up(number)
        return schema

    def of_version(self, subject: str, version: int) -> Schema | None:
        """As `of_id`, and never remembered: it is asked for once, by whoever reads with it."""
        kept = KeptSchemas(*self._place)
        schema = kept.of_version(subject, version)
        if schema is None and (schema := self._registry.of_version(subject, version)) is not None:
            kept.keep_version(subject, version, schema)
        return schema

    def _looked_up(self, number: int) -> Schema | None:
        kept = KeptSchemas(*self._place)
        schema = kept.of_id(number)
        if schema is None and (schema := self._registry.of_id(number)) is not None:
            kept.keep_id(number, schema)
        if schema is None:
            if len(self._asked) >= _MOST_UNKNOWN:
                self._asked.clear()
            self._asked[number] = self._clock()
        else:
            self._known[number] = schema
        return schema

    def _was_just_asked(self, number: int) -> bool:
        at = self._asked.get(number)
        return at is not None and self._clock() - at < UNKNOWN_SECONDS
