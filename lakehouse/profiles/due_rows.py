"""Whose rows of a table change without an event of theirs, because time passes: a row says in `due_at` when it is to be made again."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ProfileTable

MOST_DUE = 1000  # profiles at once: at midnight the windows of everybody close
MOST_BESIDE = 200  # of them in a micro-batch that brings events: whoever did something waits no longer for whom nothing happened to
REST = 9  # times as long as making rows took: events wait for it a tenth of the time at most
BEGUN: Final = "_due"  # the file in the lake that says whose rows are being made
_COLUMNS = ("profile_id", "due_at")


class DueRows:
    """Looks into a table no sooner than the next of its rows is due. `table`: has profile_id and due_at."""

    def __init__(self, lake: Lake, table: ProfileTable) -> None:
        self.table = table
        self._lake = lake
        self._next: datetime | None = None  # nothing is due before; None = nobody has looked
        self._rests_until: datetime | None = None

    def is_due(self, as_of: datetime, now: datetime) -> bool:
        """Whether it is worth to look: a row may be due by `as_of`, and this does not rest. Nothing is read."""
        rests = self._rests_until is not None and now < self._rests_until
        return not rests and (self._next is None or utc(as_of) >= self._next)

    def due(self, as_of: datetime, now: datetime, most: int | None = None) -> set[str]:
        """Profiles whose rows are due by `as_of`, at most `most` and MOST_DUE, those of the earliest first; nobody while it rests."""
        if not self.is_due(as_of, now):
            return set()
        as_of, limit = utc(as_of), MOST_DUE if most is None else min(most, MOST_DUE)
        found: list[pa.Table] = []
        later: list[datetime] = []
        for batch in self._lake.batches(self.table, columns=_COLUMNS):
            is_due = pc.less_equal(batch["due_at"], pa.scalar(as_of))
            found.append(pa.Table.from_batches([batch.filter(is_due)]))
            least = pc.min(batch.filter(pc.invert(is_due))["due_at"]).as_py()
            later += [least] if least is not None else []
        due = pa.concat_tables(found).sort_by("due_at")["profile_id"][:limit].to_pylist() if found else []
        self._next = None if due else min(later, default=datetime.max.replace(tzinfo=UTC))
        return set(due)

    def made(self, began: datetime, ended: datetime) -> None:
        """Rows of those who were due were made in that time: the next ones wait, so that events need not."""
        self._rests_until = ended + REST * (ended - began)

    def wrote(self, rows: Mapping[ProfileTable, Any]) -> None:
        """Rows of gold were written, those of the table among them."""
        here = rows.get(self.table)
        if not isinstance(here, pa.Table):
            self._next = None
            return
        least = pc.min(here["due_at"]).as_py()
        if self._next is not None and least is not None:
            self._next = min(self._next, least)


class DueProfiles(DueRows):
    """Due rows of which more than the table itself is made again: who they are is noted until all of it is written, also through a crash."""

    def __init__(self, lake: Lake, table: ProfileTable) -> None:
        super().__init__(lake, table)
        self._begun: set[str] | None = None  # None = nobody has looked

    @property
    def is_unfinished(self) -> bool:
        return bool(self._left())

    def begin(self, as_of: datetime, now: datetime, most: int | None = None) -> set[str]:
        """Those who are due, and those of whom it was begun and not ended."""
        found = self._left() | self.due(as_of, now, most)
        if found != self._left():
            stamp.restamp(self._lake.root, BEGUN, json.dumps(sorted(found)), self._lake.spark)
            self._begun = found
        return found

    def end(self) -> None:
        """All of it is written."""
        if self._left():
            stamp.unstamp(self._lake.root, BEGUN, self._lake.spark)
            self._begun = set()

    def _left(self) -> set[str]:
        if self._begun is None:
            told = stamp.read(self._lake.root, BEGUN, self._lake.spark)
            self._begun = set() if told is None else set(json.loads(told))
        return self._begun


def utc(moment: datetime) -> datetime:
    """A time without a zone is one of UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
