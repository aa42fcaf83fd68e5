"""Counts of micro-batches, added up: a micro-batch may be three rows, of which one says nothing of the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lakehouse.quality.counts import Counts
from lakehouse.tables.contract import Table
from lakehouse.tables.expectation import Expectation

VOLUME = "volume"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of one expectation and the rows of one window. share: None = it concerns none of them. is_met: None = too few of them to say."""

    table: Table
    expectation: Expectation
    rows: int
    broken: int

    @property
    def share(self) -> float | None:
        return self.broken / self.rows if self.rows else None

    @property
    def is_met(self) -> bool | None:
        return self.expectation.is_met(self.rows, self.broken)


@dataclass
class Window:
    """What came of one table since `start`."""

    table: Table
    start: datetime
    end: datetime
    rows: int = 0
    by_name: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, counts: Counts, at: datetime) -> None:
        """Of one micro-batch."""
        self.end = at
        self.rows += counts.rows
        for name, (concerned, broken) in counts.by_name.items():
            so_far = self.by_name.get(name, (0, 0))
            self.by_name[name] = (so_far[0] + concerned, so_far[1] + broken)

    def verdicts(self) -> Iterator[Verdict]:
        """Of every expectation of the table."""
        for expectation in self.table.expectations:
            rows, broken = self.by_name.get(expectation.name, (0, 0))
            yield Verdict(table=self.table, expectation=expectation, rows=rows, broken=broken)

    def told(self, now: datetime) -> Iterator[Mapping[str, Any]]:
        """Rows of ops.data_quality."""
        when = {"window_start": self.start, "window_end": self.end, "judged_at": now}
        if self.table.volume is not None:
            yield volume_row(self.table, VOLUME, self.rows) | when
        for verdict in self.verdicts():
            yield {
                "table_name": self.table.name, "expectation": verdict.expectation.name, "action": str(verdict.expectation.action),
                "row_count": verdict.rows, "broken_count": verdict.broken, "share": verdict.share, "least": None,
                "most": verdict.expectation.most, "is_met": verdict.is_met, **when,
            }  # fmt: skip


def volume_row(table: Table, name: str, rows: int) -> dict[str, Any]:
    """A row of ops.data_quality that counts, and judges nothing yet."""
    judged = dict.fromkeys(("share", "least", "most", "is_met"))
    return {
        "table_name": table.name,
        "expectation": name,
        "action": "warn",
        "row_count": rows,
        "broken_count": 0,
        **judged,
    }
