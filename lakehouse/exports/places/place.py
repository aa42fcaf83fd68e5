"""The contract of a destination: it takes a batch of rows and of removals, and says of each what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.errors import DestinationAwayError
from lakehouse.exports.rows import Removal, Row, Sending

Outcome = Sent | Retry | GiveUp
"""Sent: it has it. Retry: nobody knows, or not now. GiveUp: it refuses the row, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Of the rows that will come: columns with their types, and which of them are the key."""

    columns: pa.Schema
    key: tuple[str, ...]
    mode: str


class AnyPlace(Protocol):
    """What every destination does. Calls are of one thread."""

    @property
    def takes_all(self) -> bool:
        """Whether it is replaced as a whole."""

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """Look whether it can be written, before anything is. `holds_rows`: the ledger says that it holds some.

        Raises:
            DestinationAwayError: it does not answer.
            ExportError: it is gone, or not as it was: a table without a column, a folder that is none.
        """

    def identity(self, row: Row) -> str | None:
        """What a removal will need to find the row, where its key does not do; None = the key."""

    def close(self) -> None:
        """Let go."""


class Place(AnyPlace, Protocol):
    """Takes rows batch by batch. Every batch may come again, whole or changed: taking it twice is taking it once."""

    @property
    def most_rows(self) -> int:
        """Of a batch."""

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """By key. `batch_id`: the same where a batch is sent again.

        Raises:
            ExportError: as `open`; nothing of the batch was taken.
        """


class WholePlace(AnyPlace, Protocol):
    """Is replaced as a whole."""

    def replace(self, sends: Iterable[Sending]) -> Sent | Retry:
        """Let there be these rows and no others, at once. They are read once, to their end, before anything is replaced.

        Raises:
            ExportError: as `open`; what was there is there.
        """


def away(where: str, why: str) -> DestinationAwayError:
    """The one way to say that a destination does not answer, or left it open what it took. where: the destination, or the export.

    why: what was got instead of an answer; no value of a row.
    """
    return DestinationAwayError(
        f"{where}: does not answer, got {why}, expected rows to be taken or refused. Another try goes on there"
    )


def keys_of(sends: Sequence[Sending], removals: Sequence[Removal]) -> list[str]:
    """Of everything in a batch."""
    return [*(removal.key for removal in removals), *(sending.key for sending in sends)]
