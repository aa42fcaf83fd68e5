"""All of an adoption, for the files of one kind: looked at, a known source found or one drafted. Reads the files, and writes nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from lakehouse.adoption import people
from lakehouse.adoption.co_occurrence import MOST_ROWS, Asked, CoOccurrence, co_occurrence
from lakehouse.adoption.column_names import rank
from lakehouse.adoption.draft import Answers, Draft, Facts
from lakehouse.adoption.file_layout import Layout, layout
from lakehouse.adoption.kinds import drafted
from lakehouse.adoption.known_sources import Known, known_source
from lakehouse.adoption.money import numbers_of
from lakehouse.adoption.table import Column, Table, rows, table
from lakehouse.config import Config
from lakehouse.errors import SourceError
from lakehouse.events.clock import microseconds
from lakehouse.sources.record_files import records
from lakehouse.sources.source import Source

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Files of the same columns, as the largest of them was found."""

    files: tuple[Path, ...]
    layout: Layout
    table: Table
    together: CoOccurrence


def apart(files: Sequence[Path]) -> dict[Path, Path | None]:
    """Each file -> the earlier one whose bytes it has; None = it is no copy.

    Raises:
        SourceError: a file is not there.
    """
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise SourceError(f"{missing[0]}: no such file, expected one that can be read. Name another")
    own: dict[bytes, Path] = {}
    found = {file: own.setdefault(_digest(file), file) for file in files}
    return {file: None if first is file else first for file, first in found.items()}


def look(files: Sequence[Path], answers: Answers, config: Config) -> Iterator[Looked]:
    """The files by what columns they have, in the order given.

    Raises:
        SourceError: a file cannot be read.
    """
    alike: dict[frozenset[str], list[tuple[Path, Layout]]] = {}
    for file in files:
        found = layout(file, config)
        first = next(records(file, found.format, config), None)
        names = frozenset[str]() if first is None or first.content is None else frozenset(first.content)
        alike.setdefault(names, []).append((file, found))
    for group in alike.values():
        file, found = max(group, key=lambda one: one[0].stat().st_size)
        counts = table(records(file, found.format, config))
        same_rows = rows(records(file, found.format, config), min(MOST_ROWS, counts.rows))
        together = co_occurrence(same_rows, asked(counts, answers, config))
        yield Looked(files=tuple(file for file, _ in group), layout=found, table=counts, together=together)


def asked(counts: Table, answers: Answers, config: Config) -> Asked:
    """The columns whose company matters, by name, by content, or because somebody named them."""
    columns = list(counts.filled.values())

    def named(*roles: str) -> list[Column]:
        return [column for column in columns if any(_is(column, role, answers) for role in roles)]

    addresses = people.emails_of(columns)
    persons = [
        *named("customer", "visitor", "loyalty"),
        *addresses,
        *people.phones_of(columns, config.events.default_region),
    ]
    products, quantities, amounts = named("product"), numbers_of(named("quantity")), numbers_of(named("total", "price"))
    has_line = len(products) == len(quantities) == len(amounts) == 1
    return Asked(
        keys=_places([*named("order"), *(column for column in named("number") if column.is_unique)]),
        ids=_places(named("customer")),
        addresses=_places(addresses),
        persons=_places(persons),
        line=(products[0].place, quantities[0].place, amounts[0].place) if has_line else None,
    )


def _is(column: Column, role: str, answers: Answers) -> bool:
    return rank(role, column.name) is not None or answers.get(role) == column.name


def _places(columns: list[Column]) -> tuple[str, ...]:
    return tuple(column.place for column in columns)


def known(looked: Looked, sources: Sequence[Source], now: datetime) -> Known | None:
    """The declared source that reads these files."""
    return known_source(looked.files[0], looked.table, sources, microseconds(now))


Ask = Callable[[Draft], Answers]


def propose(
    looked: Looked, title: str, answers: Answers, config: Config, ask: Ask, now: datetime | None = None
) -> Draft:
    """The draft, after everything was asked that `ask` gets an answer to. `ask`: a draft with open questions -> answers, empty = no more."""
    answers = dict(answers)
    now = now or datetime.now(UTC)
    while True:
        facts = Facts(table=looked.table, together=looked.together, title=title, answers=answers, config=config)
        draft = drafted(facts, now)
        if not draft.questions or not (more := ask(draft)):
            return draft
        answers |= more


def _digest(file: Path) -> bytes:
    made = blake2b(digest_size=16)
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            made.update(piece)
    return made.digest()
