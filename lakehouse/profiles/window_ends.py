"""Whose features change because time passes: a window of theirs has closed, and no event of theirs came."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ProfileTable

MOST_DUE = 1000  # profiles at once: at midnight the windows of everybody close
REST = 9  # times as long as closing took: events wait for it a tenth of the time at most
_COLUMNS = ("profile_id", "due_at")


class WindowEnds:
    """Looks into the table of features no sooner than the next window closes. `table`: has profile_id and due_at."""

    def __init__(self, lake: Lake, table: ProfileTable) -> None:
        self.table = table
        self._lake = lake
        self._next: datetime | None = None  # nothing closes before; None = nobody has looked
        self._rests_until: datetime | None = None

    def is_due(self, as_of: datetime, now: datetime) -> bool:
        """Whether it is worth to look: a window may have closed by `as_of`, and this does not rest. Nothing is read."""
        rests = self._rests_until is not None and now < self._rests_until
        return not rests and (self._next is None or _utc(as_of) >= self._next)

    def due(self, as_of: datetime, now: datetime) -> set[str]:
        """Profiles of which a window has closed by `as_of`, at most MOST_DUE, those of the earliest first; nobody while it rests."""
        if not self.is_due(as_of, now):
            return set()
        as_of = _utc(as_of)
        found: list[pa.Table] = []
        later: list[datetime] = []
        for batch in self._lake.batches(self.table, columns=_COLUMNS):
            is_due = pc.less_equal(batch["due_at"], pa.scalar(as_of))
            found.append(pa.Table.from_batches([batch.filter(is_due)]))
            least = pc.min(batch.filter(pc.invert(is_due))["due_at"]).as_py()
            later += [least] if least is not None else []
        due = pa.concat_tables(found).sort_by("due_at")["profile_id"][:MOST_DUE].to_pylist() if found else []
        self._next = None if due else min(later, default=datetime.max.replace(tzinfo=UTC))
        return set(due)

    def closed(self, began: datetime, ended: datetime) -> None:
        """Windows were closed in that time: the next ones wait, so that events need not."""
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


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
