"""Whose features change without an event of theirs: a window has closed because time passed, or features are declared otherwise than the rows were made by."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.features.definition import Features
from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION

MOST_DUE = 1000  # profiles at once: at midnight the windows of everybody close
REST = 9  # times as long as closing took: events wait for it a tenth of the time at most
MOST_OWED, REST_OF_OWED = 3000, 1  # of rows made by other declarations: somebody waits for them
MADE_BY = "_features", "made_by"  # the file in the lake that says by which declarations all rows are made
_COLUMNS = ("profile_id", "due_at")


def made_by(features: Features) -> str:
    """Says by which declarations rows are made."""
    return blake2b(repr(features.version).encode(), digest_size=8).hexdigest()


def note_made(lake: Lake, features: Features) -> None:
    """All rows of gold.features are made by these."""
    folder, name = MADE_BY
    stamp.restamp(f"{lake.root}/{folder}", name, made_by(features), lake.spark)


class WindowEnds:
    """Looks into the table of features no sooner than the next window closes. `table`: has profile_id and due_at. `features`: its columns."""

    def __init__(self, lake: Lake, table: ProfileTable, features: Features) -> None:
        self.table = table
        self._lake = lake
        self._features = features
        is_made = self._noted() == made_by(features) or lake.is_bare(GOLD_ACTIVATION)
        self._owed: list[str] | None = [] if is_made else None  # None = nobody has looked whom
        self._next: datetime | None = None  # nothing closes before; None = nobody has looked
        self._rests_until: datetime | None = None

    @property
    def owes(self) -> bool:
        """Whether rows are to be made anew because the features are others."""
        return self._owed is None or bool(self._owed)

    def is_due(self, as_of: datetime, now: datetime) -> bool:
        """Whether it is worth to look: a window may have closed by `as_of`, and this does not rest. Nothing is read."""
        rests = self._rests_until is not None and now < self._rests_until
        return not rests and (self.owes or self._next is None or _utc(as_of) >= self._next)

    def due(self, as_of: datetime, now: datetime) -> set[str]:
        """Profiles whose rows are owed, at most MOST_OWED, else those of which a window has closed by `as_of`, at most MOST_DUE, those of the earliest first; nobody while it rests."""
        if not self.is_due(as_of, now):
            return set()
        if self._owed is None:
            held = self._lake.batches(GOLD_ACTIVATION, columns=("profile_id",))
            self._owed = [profile for batch in held for profile in batch["profile_id"].to_pylist()]
        if self._owed:
            return set(self._owed[:MOST_OWED])
        if self._noted() != made_by(self._features):
            note_made(self._lake, self._features)
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
        """Rows of those who were due were made in that time: the next ones wait, so that events need not."""
        self._rests_until = ended + (REST_OF_OWED if self._owed else REST) * (ended - began)
        if self._owed:
            del self._owed[:MOST_OWED]
            if not self._owed:
                note_made(self._lake, self._features)

    def wrote(self, rows: Mapping[ProfileTable, Any]) -> None:
        """Rows of gold were written, those of the table among them."""
        here = rows.get(self.table)
        if not isinstance(here, pa.Table):
            self._next = None
            return
        least = pc.min(here["due_at"]).as_py()
        if self._next is not None and least is not None:
            self._next = min(self._next, least)

    def _noted(self) -> str | None:
        folder, name = MADE_BY
        return stamp.read(f"{self._lake.root}/{folder}", name, self._lake.spark)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
