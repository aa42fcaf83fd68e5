"""conf/sources/<name>.yaml: what a record of a source is made of, and how it becomes an event. See docs/how-to/connect-a-source.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from lakehouse.config.declarations import Declared, Name, read_document, refuse, validated
from lakehouse.errors import ConfigError
from lakehouse.schemas.avro_schema import UnusableSchemaError, parsed
from lakehouse.schemas.schema import AVRO, Schema
from lakehouse.sources import imputation
from lakehouse.sources.fields import FILE_TIME, RECORD_ID, Declarations
from lakehouse.sources.webhook import Webhook

Expression = Annotated[str, Field(min_length=1)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Expressions = dict[Key, Expression]
Paths = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda sent: (sent,) if isinstance(sent, str) else sent),
    Field(min_length=1, max_length=40),
]


class ReaderSchema(Declared):
    """The Avro schema that records are read as, whichever they were written by: what was added, removed, renamed and widened is resolved by it.

    One of: file, beside that of the source; a version of a subject in the registry; text. The text of a file is there once the declaration was read.
    """

    file: str | None = None
    subject: str | None = Field(default=None, min_length=1)
    version: int | None = Field(default=None, ge=1)
    text: str = ""

    @model_validator(mode="after")
    def _is_said_in_one_way(self) -> Self:
        ways = (self.file is not None, self.subject is not None, bool(self.text))
        if sum(ways) != 1 or (self.subject is None) != (self.version is None):
            raise ValueError(
                "expected one of file, text, and subject with version. A version is a number: the latest would be another tomorrow"
            )
        return self


def _of_file(sent: Any) -> Any:
    return {"file": sent} if isinstance(sent, str) else sent


class FileFormat(Declared):
    """How messages and files of the source are read. JSON, Parquet, Avro and gzip of files are told by their first bytes; the rest is of flat text.

    type: of messages that begin with the id of their schema in a registry; none = they are JSON, or lines of flat text. reader: of Avro, in messages and files;
    none = as each was written. records: of an object, in whatever format, the place of the record it holds, or of the list of them; of several places the first that holds one. Without
    any, the object is the record. shared: names beside the records whose values hold for each that does not say them itself. delimiter, quote, encoding: none = seen in the file; an empty
    quote = no cell is quoted; a blank as delimiter is any number of them. columns: their names by position, of a file without a header. header: snake_case = names of columns, and those at the top of
    a record, are brought into it. decimal: the mark before the fraction of a number. group_by: the column that consecutive rows of one record have
    in common; such a record has the first value of each column, and all of its rows as the list `rows`.
    """

    type: Literal["avro", "json_schema"] | None = None
    reader: Annotated[ReaderSchema, BeforeValidator(_of_file)] | None = None
    records: Paths | None = None
    shared: tuple[str, ...] = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Literal['"', "'", ""] = '"'
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    header: Literal["as_is", "snake_case"] = "as_is"
    decimal: Literal[".", ","] | None = None
    group_by: str | None = None
    copies: Literal["kept", "dropped"] = "kept"

    @model_validator(mode="after")
    def _reads_avro_by_a_reader(self) -> Self:
        if self.reader is not None and self.type == "json_schema":
            raise ValueError("reader: belongs to Avro, got type json_schema. Leave it out")
        return self


def _of_type(sent: Any) -> Any:
    return {"type": sent} if isinstance(sent, str) else sent


class Lines(Declared):
    """The lines of an order or a cart. each: the place of the list, or places, as of a field; fields: of one line; properties: of a line of the event."""

    each: Paths
    fields: Declarations = Field(min_length=1, max_length=200)
    properties: Expressions = Field(min_length=1, max_length=200)


class SourceDeclaration(Declared):
    """One source. Every value but that of `names` is an expression over its fields, `lakehouse/rules/` has the language.

    is_event: its records are event documents already, and nothing else is declared. skip: which records are no events. type: one of the
    six, or an expression. names: name as sent -> name of the event; any other stays. id: of the message; none = by the record itself.
    version: of a record that comes again when it changes: each of them is a message of its own, and the latest the last word. identifiers: by identifier type, which says how
    strong they are (conf/identity.toml). guest: who it is, as a guest_id, where none of them is of use. traits, context: by place, such as address.city or page.url.
    kept: places whose fields are properties under their own names, besides those that are declared; * = what no field reads of the record.
    webhook: the records also come by HTTP, signed like that. impute: field -> what stands in where a record says nothing of it.
    """

    description: str = ""
    format: Annotated[FileFormat, BeforeValidator(_of_type)] = FileFormat()
    webhook: Webhook | None = None
    is_event: bool = False
    fields: Declarations = Field(default={}, max_length=400)
    skip: Expression | None = None
    type: Expression | None = None
    name: Expression | None = None
    names: dict[Key, Key] = Field(default={}, max_length=1000)
    id: Expression | None = None
    version: Expression | None = None
    time: Expression | None = None
    channel: Expression | None = None
    identifiers: Expressions = Field(default={})
    guest: Expression | None = None
    traits: Expressions = Field(default={})
    consent: Expressions = Field(default={})
    context: Expressions = Field(default={})
    properties: Expressions = Field(default={})
    kept: Paths | None = None
    lines: Lines | None = None
    impute: imputation.Imputations = Field(default={}, max_length=100)

    @model_validator(mode="after")
    def _says_what_an_event_needs(self) -> Self:
        if self.is_event:
            more = sorted(self.model_fields_set - {"description", "format", "webhook", "is_event"})
            if more:
                raise ValueError(
                    f"is_event: its records are event documents as they are, got {more[0]}, expected nothing else"
                )
            return self
        lacking = [name for name in ("fields", "type", "time", "identifiers") if not getattr(self, name)]
        if lacking:
            raise ValueError(
                f"{lacking[0]}: got none, expected what every event needs: fields, type, time and identifiers"
            )
        if self.version is not None and self.id is None:
            raise ValueError("version: got no id beside it, expected the id of what changes. Declare id, too")
        for fault in imputation.faults(self.impute, self.fields):
            raise ValueError(fault)
        lines = set(self.lines.fields if self.lines else ())
        taken = set(self.fields) & lines | {RECORD_ID, FILE_TIME} & (set(self.fields) | lines)
        if taken:
            name = min(taken)
            raise ValueError(f"fields: the name '{name}' is taken already, expected one of its own. Name it otherwise")
        return self


Bound = Mapping[str, tuple[str, SourceDeclaration]]


def read_declaration(path: Path) -> SourceDeclaration:
    """The declaration in a file.

    Raises:
        ConfigError: every fault of it, a line each.
    """
    faults: list[str] = []
    document = read_document(path, *SourceDeclaration.model_fields)
    declared = validated(document, SourceDeclaration, path.name, faults)
    refuse([f"conf/sources/{fault}" for fault in faults])
    assert declared is not None
    return _with_text(declared, path)


def _with_text(declared: SourceDeclaration, path: Path) -> SourceDeclaration:
    """With the schema of its reader's file, so that who reads records needs no file.

    Raises:
        ConfigError: the schema cannot be read, or is none.
    """
    reader = declared.format.reader
    if reader is None or reader.subject is not None:
        return declared
    place = f"conf/sources/{path.name}: format.reader"
    try:
        text = reader.text or (path.parent / str(reader.file)).read_text(encoding="utf-8")
        parsed(Schema(type=AVRO, text=text))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{place}: got '{reader.file}', expected a file beside it that can be read. Put it there"
        ) from error
    except UnusableSchemaError as error:
        raise ConfigError(f"{place}: got {error}, expected an Avro schema of a record. Mend it") from error
    format_ = declared.format.model_copy(update={"reader": reader.model_copy(update={"text": text})})
    return declared.model_copy(update={"format": format_})


def files(folder: Path) -> dict[str, Path]:
    """Name -> file of every declared source.

    Raises:
        ConfigError: a file's name is no name.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    for name, path in found.items():
        if not is_name(name):
            raise ConfigError(
                f"{path.name}: got the name '{name}', expected small letters, digits, _ and -. Rename the file"
            )
    return found


def bound_declarations(sources: Mapping[str, str], folder: Path) -> Bound:
    """Topic -> the name of its source, and what that declares. `sources`: kafka.sources.

    Raises:
        ConfigError: a source is not declared, or its file has faults.
    """
    declared = files(folder) if sources else {}
    for topic, name in sources.items():
        if name not in declared:
            raise ConfigError(
                f"kafka.sources: topic '{topic}' got the source '{name}', expected one of {', '.join(declared) or 'none is declared'}. "
                f"Write {folder.name}/{name}.yaml"
            )
    return {topic: (name, read_declaration(declared[name])) for topic, name in sources.items()}


class _Named(Declared):
    name: Name


def is_name(name: str) -> bool:
    """Whether a source may be called so."""
    faults: list[str] = []
    return validated({"name": name}, _Named, "", faults) is not None
