"""Whose rows of gold may be others than they were: read off gold.changes, and off the times at which rows were written.

gold.changes tells of every profile whose row of gold.activation changed, or is gone, and it is told once all tables of gold have what
changed. Some tables change without it: a window of a feature closes, somebody enters an audience. A row of gold is only written where it is
another, with the time of its micro-batch; so whoever was written since is looked for in these tables.

It may name somebody of whom nothing changed. Where the writer's clock was set back, a table has rows that are written later and say an earlier time:
its newest commit is then older than its newest row. Nobody knows then who changed, and rows from ahead of that commit are no measure any more.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lakehouse.exports.mapping import PROFILE
from lakehouse.exports.source import Gold
from lakehouse.profiles.gold.activation import GOLD_ACTIVATION
from lakehouse.profiles.gold.changes import GOLD_CHANGES
from lakehouse.tables.contract import VALIDITY, Table

Position = Mapping[str, datetime]
"""Table -> the newest time that was seen in it; of those ahead of its newest commit none counts."""
_WHOLE_MILLISECONDS = timedelta(milliseconds=1)  # commits say their time in these, rows in microseconds


class Feed:
    """Of the tables that an export reads. Remembers how far it has looked."""

    def __init__(self, gold: Gold, tables: Sequence[Table], position: Position) -> None:
        """`position`: of an earlier one; empty where nobody has looked."""
        self._gold = gold
        self._times = {GOLD_CHANGES: times_of(GOLD_CHANGES)}
        self._times |= {table: times for table in tables if table != GOLD_ACTIVATION and (times := times_of(table))}
        self._position = dict(position)
        self._versions: dict[str, str] = {}

    @property
    def position(self) -> Position:
        """As of the last look."""
        return dict(self._position)

    def look(self) -> set[str] | None:
        """Profiles of whom something may have changed since the last look; None = nobody can say of whom not.

        Raises:
            ExportError: a table cannot be read; the next look tells what this one would have.
        """
        found: set[str] = set()
        is_known = True
        position, versions = dict(self._position), dict(self._versions)
        for table, times in self._times.items():
            version = self._gold.version(table)
            if version == versions.get(table.name):
                continue
            since = position.get(table.name)
            newest = self._newest(table, times)
            if since is not None and newest is not None and newest >= since:
                # What was written at that very time may have come after the last look.
                found.update(self._gold.rows_since(table, (PROFILE, *times), times, since)[PROFILE].to_pylist())
            elif since != newest:  # it was empty, is another, is empty now, or the clock was set back
                is_known = False
            position |= {} if newest is None else {table.name: newest}
            versions[table.name] = version
        self._position, self._versions = position, versions
        return found if is_known else None

    def _newest(self, table: Table, times: Sequence[str]) -> datetime | None:
        """The newest time that is not ahead of the newest commit; that commit's, where all are."""
        newest = self._gold.newest(table, times)
        at = None if newest is None else self._gold.committed_at(table)
        if newest is None or at is None or newest <= at + _WHOLE_MILLISECONDS:
            return newest
        return self._gold.newest(table, times, at + _WHOLE_MILLISECONDS) or at


def times_of(table: Table) -> tuple[str, ...]:
    """The columns that say when a row was written; empty where the table has none."""
    written = tuple(column.name for column in table.columns if column.is_write_time)
    return written or (VALIDITY if table.has_history else ())
