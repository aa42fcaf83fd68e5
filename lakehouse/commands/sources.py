"""Sources tried out before anything is imported or streamed.

./spark-submit.sh sources list              what is declared in conf/sources
./spark-submit.sh sources check [NAME]      faults of the declarations
./spark-submit.sh sources check NAME FILE   what of the records of a file maps and what does not, field by field; what breaks its plan

Values are never shown. Ends with one JSON line; exit code 1 on a fault, or when a record would go to quarantine.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from lakehouse.config import Config, load
from lakehouse.config.paths import EVENTS, SOURCES
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.events.clock import microseconds
from lakehouse.events.tracking_plan import read_plan
from lakehouse.job import describe, json_line
from lakehouse.sources.declaration import files
from lakehouse.sources.examination import Examination, examine
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

MOST_RECORDS = 100_000  # of a sample
_MOST_SHOWN = 40  # lines of one part of the report


def main(argv: Sequence[str]) -> int:
    match argv:
        case ["list"]:
            return listing(SOURCES, load())
        case ["check", *names] if len(names) < 2:
            return check(names, SOURCES, load())
        case ["check", name, file]:
            config = load()
            return check_file(Source.named(name, SOURCES, config), Path(file))
    raise StitchlakeError(f"sources: got '{' '.join(argv)}', expected list, check [NAME] or check NAME FILE")


def listing(folder: Path, config: Config) -> int:
    """Print every source and what it is; the exit code."""
    found = [Source.read(path, config) for path in files(folder).values()]
    for source in found:
        print(f"{source.name:<24}{' '.join(source.description.split())}")
    print(json_line({"command": "sources list", "sources": len(found)}))
    return 0


def check(names: Sequence[str], folder: Path, config: Config) -> int:
    """Print the faults of the named source, or of all; the exit code."""
    declared = {name: Source.named(name, folder, config) for name in names} if names else {}
    faults: list[str] = []
    for name, path in {} if names else files(folder).items():
        try:
            declared[name] = Source.read(path, config)
        except ConfigError as error:
            print(describe(error), file=sys.stderr)
            faults += str(error).splitlines()
    print(f"{', '.join(declared) or 'no source'}: as they should be")
    print(json_line({"command": "sources check", "sources": len(declared), "faults": len(faults)}))
    return 1 if faults else 0


def check_file(source: Source, path: Path, most: int = MOST_RECORDS) -> int:
    """Print what becomes of the file's first `most` records; the exit code."""
    sample = islice(records(path, source.format, source.config), most)
    found = examine(sample, source, microseconds(datetime.now(UTC)), read_plan(EVENTS))
    rejected = found.rejected.total()
    print("\n".join(_report(source, path, found)))
    told = {"records": found.records, "accepted": found.accepted, "quarantined": rejected, "skipped": found.skipped}
    print(json_line({"command": "sources check", "source": source.name, **told, "faults": found.faults.total()}))
    return 1 if rejected or not found.records else 0


def _report(source: Source, path: Path, found: Examination) -> Iterable[str]:
    yield f"{path.name}, read as {source.name}: {found.records:,} records"
    yield f"  {found.accepted:,} become events, {found.rejected.total():,} go to quarantine, {found.skipped:,} are declared to be no events"
    if found.types:
        yield ""
        yield f"{'field':<28}{'read as':<10}{'filled':>10}{'not read':>10}"
        for name, type_ in found.types.items():
            yield f"{name:<28}{type_:<10}{found.filled[name]:>10,}{found.spoilt[name]:>10,}"
    yield from _counted("in no field, and only in the archive", found.unread)
    yield from _counted("events", found.events)
    yield from _counted("part of the event", found.parts)
    yield from _counted("left empty, by the parse", found.faults)
    yield from _counted("to quarantine, because", found.rejected)


def _counted(title: str, counts: Counter[str]) -> Iterable[str]:
    if not counts:
        return
    yield ""
    yield f"{title:<68}{'records':>10}"
    for name, count in counts.most_common(_MOST_SHOWN):
        yield f"{name[:66]:<68}{count:>10,}"
    if len(counts) > _MOST_SHOWN:
        yield f"and {len(counts) - _MOST_SHOWN:,} more"
