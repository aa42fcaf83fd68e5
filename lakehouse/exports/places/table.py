"""A table of a database: each batch is taken in by one transaction, whole or not at all. What kind of database it is, a subclass says.

What a constraint or a type refuses is found by halving the batch: the rest of it is taken. A table that is not there is made at the
first run; later it was dropped, and making it anew would leave out what the ledger believes to be there.
"""

import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.actions.destinations import Database
from lakehouse.actions.private_addresses import refuse_private
from lakehouse.errors import ActionError, DestinationAwayError, ExportError
from lakehouse.exports.keys import key_values
from lakehouse.exports.places.place import Layout, Outcome, away, keys_of
from lakehouse.exports.rows import Removal, Row, Sending

MOST_ROWS = 10_000
NUMBER = "stitchlake_row"  # of a row in its batch: a column beside its own
One = TypeVar("One", Sending, Removal)


class TablePlace(ABC):
    """`into`: the table, with its schema or without. of_the_row: errors that one row is to blame for."""

    takes_all = False
    of_the_row: tuple[type[Exception], ...]

    def __init__(self, destination: Database, into: str, *, most_rows: int | None, timeout_seconds: float) -> None:
        """Raises ExportError: no name of a table."""
        self.names = into.split(".")
        if not 1 <= len(self.names) <= 2 or not all(self.names):
            raise ExportError(f"into: got '{into}', expected a table, such as public.customers. Mend it")
        self.most_rows: int = most_rows or MOST_ROWS
        self.where = f"destination {destination.name}"
        self.timeout = max(1, round(timeout_seconds))
        self._destination = destination
        self._name = into
        self._layout: Layout | None = None

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        self._layout = layout
        with self.speaking():
            if not self.is_there():
                if holds_rows:
                    raise ExportError(
                        f"{self.where}: table {self._name} is gone, expected the rows of the runs before. "
                        "Bring it back, or run with --full to fill a new one"
                    )
                self.create()
            self._refuse_other()

    def identity(self, row: Row) -> str | None:
        """See `Place`."""
        return None

    def apply(self, batch_id: str, sends: Sequence[Sending], removals: Sequence[Removal]) -> dict[str, Outcome]:
        """See `Place`."""
        try:
            with self.speaking():
                return self._halved(removals, self._removed) | self._halved(sends, self._taken)
        except DestinationAwayError as error:
            return dict.fromkeys(keys_of(sends, removals), Retry(str(error)))

    @abstractmethod
    def close(self) -> None:
        """See `Place`."""

    @abstractmethod
    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """Have a connection: the one there is, or a new one.

        Raises:
            DestinationAwayError: it does not answer; whether what was under way got through is open.
            ExportError: the database is not as it was.
        """

    @abstractmethod
    def is_there(self) -> bool:
        """Whether there is such a table."""

    @abstractmethod
    def create(self) -> None:
        """Make it, with the key as its primary key."""

    @abstractmethod
    def columns(self) -> set[str]:
        """Of the table as it is."""

    @abstractmethod
    def unique_keys(self) -> list[list[str]]:
        """Columns over which something is unique, each in order of the alphabet."""

    @abstractmethod
    def take(self, rows: Sequence[Sequence[Any]]) -> set[int] | None:
        """Take the rows in one transaction; where they must be there, the numbers of those that are, from 0.

        By number, not by key: what a database gives of a key may be of another type, or padded.
        """

    @abstractmethod
    def remove(self, keys: Sequence[Sequence[Any]]) -> None:
        """Take the rows of these keys out, in one transaction."""

    @abstractmethod
    def reason(self, error: Exception) -> str:
        """Which kind of fault, and of which constraint or column; never a value, as the message would have it."""

    @property
    def layout(self) -> Layout:
        """As it was opened with."""
        assert self._layout is not None
        return self._layout

    def changed(self, error: Exception) -> ExportError:
        """For an error that says so."""
        return ExportError(
            f"{self.where}: table {self._name}: got {self.reason(error)}, expected it as it was. Mend it there"
        )

    def refuses_us(self) -> ExportError:
        """For an error that says so."""
        return ExportError(
            f"{self.where}: refuses us, expected a database, a user and a password it knows. Mend destinations.yaml"
        )

    def address(self) -> str:
        """Where its host is, and no private one unless that is declared.

        Raises:
            DestinationAwayError: no such host.
            ExportError: it is private.
        """
        one = self._destination
        try:
            found = socket.getaddrinfo(one.host, one.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise away(self.where, f"no such host ({type(error).__name__})") from error
        address = str(found[0][4][0])
        if not one.allow_private:
            try:
                refuse_private(address, one.host)
            except ActionError as error:
                raise ExportError(str(error)) from error
        return address

    def _taken(self, sends: Sequence[Sending]) -> dict[str, Outcome]:
        names = self.layout.columns.names
        there = self.take([[sending.row.what[name] for name in names] for sending in sends])
        return {
            sending.key: Sent() if there is None or number in there else GiveUp("not at the destination")
            for number, sending in enumerate(sends)
        }

    def _removed(self, removals: Sequence[Removal]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        keys: list[Sequence[Any]] = []
        for removal in removals:
            try:
                keys.append(key_values(removal.key, self.layout.columns, self.layout.key))
                outcomes[removal.key] = Sent()
            except ValueError:
                outcomes[removal.key] = GiveUp("a key of other columns than the export has now")
        if keys:
            self.remove(keys)
        return outcomes

    def _halved(self, batch: Sequence[One], take: Callable[[Sequence[One]], dict[str, Outcome]]) -> dict[str, Outcome]:
        """Take the batch; where a row of it is refused, its halves, down to that row."""
        if not batch:
            return {}
        try:
            return take(batch)
        except self.of_the_row as error:
            if len(batch) == 1:
                return {batch[0].key: GiveUp(self.reason(error))}
        half = len(batch) // 2
        return self._halved(batch[:half], take) | self._halved(batch[half:], take)

    def _refuse_other(self) -> None:
        """A table that lacks a column, or on whose key nothing is unique."""
        layout, there = self.layout, self.columns()
        if missing := [name for name in layout.columns.names if name not in there]:
            raise ExportError(
                f"{self.where}: table {self._name} has no column '{missing[0]}', expected every column of the export. "
                "Add it there, or take it out of exports.yaml"
            )
        if layout.mode != "update" and sorted(layout.key) not in self.unique_keys():
            raise ExportError(
                f"{self.where}: table {self._name} has no unique index over ({', '.join(layout.key)}), expected one. "
                "Create it there"
            )
