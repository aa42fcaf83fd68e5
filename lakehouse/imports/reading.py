"""What an import of a table reads this time, and where it stands once that is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pyspark.sql import DataFrame

Position = Mapping[str, Any]  # how far an import has come, as JSON; each kind of table has its own names in it


@dataclass(frozen=True, kw_only=True)
class Reading:
    """frame: the rows. position: kept once they are sent; None = there is nothing to go on from.

    has_all_copies: of each row every row that says the very same is among them, so that they are numbered as ever
    (lakehouse/sources/history.py). told: a line for whoever runs it. as_of: when the table was as it is read; None = now.
    """

    frame: DataFrame
    has_all_copies: bool
    position: Position | None
    told: str
    as_of: datetime | None = None


class ImportedTable(Protocol):
    """A table that grows. `name`: which it is, without a password, the same in every import."""

    @property
    def name(self) -> str: ...

    def after(self, position: Position | None) -> Reading | None:
        """What has come since; None = nothing. Raises SourceError: it cannot be read, or not without somebody's word."""

    def whole(self) -> Reading:
        """All of it. Raises SourceError: it cannot be read."""
