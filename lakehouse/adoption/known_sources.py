"""A declared source that reads a file already: then nothing is proposed. Two sources for one file would take in every record twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lakehouse.adoption.shapes import MOST_SPOILT
from lakehouse.adoption.table import Table
from lakehouse.config import Config
from lakehouse.errors import SourceError
from lakehouse.sources.declaration import files
from lakehouse.sources.examination import examine
from lakehouse.sources.place import place
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

_ROWS = 5_000
_MANY = 12  # fields found by their names: so many do not agree by chance


@dataclass(frozen=True, kw_only=True)
class Known:
    source: Source
    evidence: str


def known_source(path: Path, table: Table, sources: Iterable[Source], now: int) -> Known | None:
    """The source that takes the records of a sample, all but a few, for events, and reads every column or a dozen of its own; the one that reads most.

    `now`: microseconds since 1970.
    """
    columns = {place(column).head for column in table.filled}
    fitting: list[tuple[int, Known]] = []
    for source in sources:
        found = _evidence(path, columns, source, now)
        if found is not None:
            fitting.append((found[0], Known(source=source, evidence=found[1])))
    return max(fitting, key=lambda one: one[0])[1] if fitting else None


def _evidence(path: Path, columns: set[str], source: Source, now: int) -> tuple[int, str] | None:
    fields = source.mapping.fields
    read = {column for column in columns if source.mapping.reads(column)}
    if fields is not None and len(read) < min(len(columns), _MANY):
        return None
    try:
        found = examine(islice(records(path, source.format, source.config), _ROWS), source, now)
    except SourceError:
        return None
    strange = max([found.rejected.total(), *found.spoilt.values(), *found.faults.values()])
    if not found.accepted or strange > MOST_SPOILT * found.records:
        return None
    if fields is None:
        return len(columns), "its records are event documents already"
    return (
        len(read),
        f"it reads {len(read):,} of the {len(columns):,} columns, and {found.accepted:,} of {found.records:,} records are events",
    )


def declared_sources(folder: Path, config: Config) -> list[Source]:
    """Every source of the folder. Raises ConfigError: a file has faults."""
    return [Source.read(path, config) for path in files(folder).values()]
