"""What is expected of the rows of a table, beyond the types and nulls of its columns: declared with its contract, judged by the window.

A contract is kept by every row. An expectation speaks of many rows: a few may break it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What follows when an expectation is broken.

    warn: it is told in the log, the metrics and ops.data_quality. quarantine: rows that break it are no events, however few they
    are; only of silver.events. stop: nothing more of the micro-batch is written, and its query ends for good. Of silver.events that is nothing
    at all; where gold is judged, silver has it, and what is to be said in gold is not said.
    """

    WARN = "warn"
    QUARANTINE = "quarantine"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """At most the share `most` of the rows it `concerns` may break it.

    concerns, breaks: conditions over the columns of the table, in SQL that Spark and DuckDB read alike; null is false. unique: instead
    of `breaks`, columns that no two rows of a micro-batch have in common; of such rows all but one break it. text: what is expected, to
    be read after "expected". least_rows: fewer rows say nothing.
    """

    name: str
    text: str
    breaks: str = "false"
    concerns: str = "true"
    unique: tuple[str, ...] = ()
    most: float = 0.0
    least_rows: int = 100
    action: Action = Action.WARN

    def is_met(self, rows: int, broken: int) -> bool | None:
        """Of so many rows it concerns; None = too few of them to say."""
        return None if rows < self.least_rows else broken <= self.most * rows


@dataclass(frozen=True, kw_only=True)
class Volume:
    """In an hour come at least `low` and at most `high` times as many rows as usual: the median of that hour of the days before.

    days: how many are looked at. least_rows: where fewer are usual, nothing is said.
    """

    low: float = 0.3
    high: float = 3.0
    days: int = 7
    least_rows: int = 100


def not_null(column: str, *, most: float, concerns: str = "true") -> Expectation:
    """At most this share of the rows may lack a value."""
    return Expectation(
        name=f"{column}_is_there", text=f"{column} in every row", breaks=f"{column} IS NULL", concerns=concerns, most=most
    )  # fmt: skip


def within(column: str, low: float, high: float, *, most: float = 0.0, action: Action = Action.WARN) -> Expectation:
    """At most this share of the values may lie outside; null lies nowhere."""
    return Expectation(
        name=f"{column}_is_in_range", text=f"{column} from {low} to {high}", breaks=f"{column} NOT BETWEEN {low} AND {high}",
        concerns=f"{column} IS NOT NULL", most=most, action=action,
    )  # fmt: skip


def unique(*columns: str, action: Action = Action.WARN) -> Expectation:
    """No two rows of a micro-batch have these in common."""
    told = ", ".join(columns)
    return Expectation(
        name=f"{'_'.join(columns)}_is_unique",
        text=f"no two rows of one {told}",
        unique=columns,
        least_rows=1,
        action=action,
    )
