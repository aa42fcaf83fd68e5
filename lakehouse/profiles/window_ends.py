"""Whose features change without an event of theirs: a window has closed because time passed, or features are declared otherwise than the rows were made by."""

from datetime import datetime
from hashlib import blake2b

from lakehouse.features.definition import Features
from lakehouse.lake import stamp
from lakehouse.lake.delta import Lake
from lakehouse.profiles.declaration import ProfileTable
from lakehouse.profiles.due_rows import DueRows
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION

MOST_OWED, REST_OF_OWED = 3000, 1  # of rows made by other declarations: somebody waits for them
MADE_BY = "_features", "made_by"  # the file in the lake that says by which declarations all rows are made


def made_by(features: Features) -> str:
    """Says by which declarations rows are made."""
    return blake2b(repr(features.version).encode(), digest_size=8).hexdigest()


def note_made(lake: Lake, features: Features) -> None:
    """All rows of gold.features are made by these."""
    folder, name = MADE_BY
    stamp.restamp(f"{lake.root}/{folder}", name, made_by(features), lake.spark)


class WindowEnds(DueRows):
    """Rows of the table of features that are due because a window closes, or owed. `features`: its columns."""

    def __init__(self, lake: Lake, table: ProfileTable, features: Features) -> None:
        super().__init__(lake, table)
        self._features = features
        is_made = self._noted() == made_by(features) or lake.is_bare(GOLD_ACTIVATION)
        self._owed: list[str] | None = [] if is_made else None  # None = nobody has looked whom

    @property
    def owes(self) -> bool:
        """Whether rows are to be made anew because the features are others."""
        return self._owed is None or bool(self._owed)

    def is_due(self, as_of: datetime, now: datetime) -> bool:
        rests = self._rests_until is not None and now < self._rests_until
        return (self.owes and not rests) or super().is_due(as_of, now)

    def due(self, as_of: datetime, now: datetime, most: int | None = None) -> set[str]:
        """Profiles whose rows are owed, at most MOST_OWED, else those of which a window has closed by `as_of`; nobody while it rests."""
        if not self.is_due(as_of, now):
            return set()
        if self._owed is None:
            held = self._lake.batches(GOLD_ACTIVATION, columns=("profile_id",))
            self._owed = [profile for batch in held for profile in batch["profile_id"].to_pylist()]
        if self._owed:
            return set(self._owed[:MOST_OWED])
        if self._noted() != made_by(self._features):
            note_made(self._lake, self._features)
        return super().due(as_of, now, most)

    def made(self, began: datetime, ended: datetime) -> None:
        super().made(began, ended)
        if self._owed:
            self._rests_until = ended + REST_OF_OWED * (ended - began)
            del self._owed[:MOST_OWED]
            if not self._owed:
                note_made(self._lake, self._features)

    def _noted(self) -> str | None:
        folder, name = MADE_BY
        return stamp.read(f"{self._lake.root}/{folder}", name, self._lake.spark)
