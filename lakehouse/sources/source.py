"""A declared source: its name, how its files are read, and its mapping."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from lakehouse.config import Config
from lakehouse.errors import ConfigError
from lakehouse.schemas.known_schemas import KnownSchemas
from lakehouse.sources.declaration import FileFormat, SourceDeclaration, files, read_declaration
from lakehouse.sources.mapping import Document, EventMapping, Mapped
from lakehouse.sources.record import Record, fingerprint
from lakehouse.sources.record_files import record_of
from lakehouse.sources.registered_records import RegisteredRecords

NO_EVENT = "skip: the source says that it is no event"
MOST_SENT = 4000  # characters of what could not be read, in its document


@dataclass(frozen=True, kw_only=True)
class Source:
    """registered: of a source whose messages begin with the id of their schema; None = of any other. Pickled as what was declared."""

    name: str
    description: str
    declaration: SourceDeclaration
    format: FileFormat
    mapping: EventMapping
    registered: RegisteredRecords | None
    config: Config

    @classmethod
    def read(cls, path: Path, config: Config) -> Self:
        """The source that a file declares.

        Raises:
            ConfigError: every fault of it, a line each.
        """
        return cls.declared(path.stem, read_declaration(path), config)

    @classmethod
    def declared(cls, name: str, declared: SourceDeclaration, config: Config) -> Self:
        """The source of a declaration that was read. Raises ConfigError: every fault of its expressions, a line each."""
        mapping = EventMapping(name, declared, config)
        format_ = declared.format
        registered = None if format_.type is None else RegisteredRecords(format_, config, KnownSchemas(config))
        return cls(
            name=name,
            description=declared.description,
            declaration=declared,
            format=format_,
            mapping=mapping,
            registered=registered,
            config=config,
        )

    @classmethod
    def named(cls, name: str, folder: Path, config: Config) -> Self:
        """The source of a name.

        Raises:
            ConfigError: none is declared by that name, or its file has faults.
        """
        found = files(folder)
        if name not in found:
            nearest = difflib.get_close_matches(name, found, n=1, cutoff=0.0)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"expected a file {folder}/{name}.yaml. Write it"
            raise ConfigError(f"sources: no source '{name}'; {hint}")
        return cls.read(found[name], config)

    def __reduce__(self) -> tuple[Callable[..., "Source"], tuple[Any, ...]]:
        return _restored, (self.name, self.declaration, self.config, dict(self.mapping.fills))

    def filled_by(self, values: Mapping[str, object]) -> Self:
        """The same source, with a value for each of these fields where a record says nothing of it."""
        return replace(self, mapping=self.mapping.filled_by(values))

    def message(self, value: bytes) -> Record:
        """The record of one message of a topic.

        Raises:
            RegistryError: its schema is not known yet, and the registry did not answer.
            ConfigError: the declared reader is not there, or no registry is configured.
        """
        if self.registered is not None:
            return self.registered.record(value)
        return record_of(value, self.format, self.config)

    def drops(self, times: int) -> bool:
        """Whether a record is no other one, which says the very same as others of its file: it is the `times`th of them."""
        return times > 1 and self.format.copies == "dropped"

    def mapped(self, record: Record, record_id: str) -> Mapped:
        """What becomes of a record: its document; or why there is none; or neither, where the source says that it is no event."""
        if record.content is None:
            return Mapped(None, record.fault)
        return self.mapping.map(record.content, record_id, record.file_time)

    def rejected(self, record: Record, why: str, record_id: str) -> Document:
        """The document that brings a record into quarantine, under the source. A large one is told without its content."""
        sent = record.content if record.content is not None else (record.sent or "")[:MOST_SENT]
        return self.mapping.unmapped(why, sent, record_id, record.file_time)


def _restored(name: str, declared: SourceDeclaration, config: Config, fills: Mapping[str, object]) -> Source:
    return Source.declared(name, declared, config).filled_by(fills)


def event_document(source: Source, record: bytes) -> Document:
    """The event document of one message of a topic that is bound to a source.

    What its mapping makes no event of, or says is none, gives the document that the parse puts into quarantine: each record of a topic
    is in a table. No record makes this fail.

    Raises:
        RegistryError, ConfigError: as `Source.message`.
    """
    read = source.message(record)
    record_id = fingerprint(read).hex()
    mapped = source.mapped(read, record_id)
    return mapped.document or source.rejected(read, mapped.unmapped or NO_EVENT, record_id)
