"""What maintenance did to a table."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tended:
    """Counts of files, and of rows. compacted: put together. deleted: that no version needs. trimmed: of the log. left: small ones, too many for a pause.

    aged: rows that went because they are older than [retention] keeps them.
    """

    table: str
    compacted: int = 0
    deleted: int = 0
    trimmed: int = 0
    left: int = 0
    aged: int = 0

    @property
    def is_anything(self) -> bool:
        return bool(self.compacted or self.deleted or self.trimmed or self.aged)
