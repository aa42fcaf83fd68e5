"""When what a row tells happened: which column says it, and how it is to be read. What two readings fit is asked."""

import re
from datetime import UTC, date, datetime

from lakehouse.adoption.column_names import rank
from lakehouse.adoption.draft import Draft, Question
from lakehouse.adoption.shapes import Times
from lakehouse.adoption.table import Column

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
_IN_UTC = re.compile(r"\b(?:UTC|GMT)\b")
_NO_TIME_OF_AN_EVENT = ("birthday",)


def event_time(draft: Draft, now: datetime) -> str | None:
    """The expression of the time of an event; None where nobody can tell yet."""
    column = _column(draft, now)
    if column is None:
        return None
    return time_field(draft, "at", column, "time", now)


def person_time(draft: Draft, now: datetime) -> str | None:
    """The expression of when a person was last spoken of: of the row's change, else of its making, else a day somebody names."""
    found = []
    for role, name in (("changed", "changed_at"), ("made", "made_at")):
        columns = [column for column in draft.named(role) if _can_be(column.times, now)]
        question = f"Which column says when a person was {role}?"
        column = draft.only_column(f"time.{role}", question, columns, "several may")
        if column is not None and (read := time_field(draft, name, column, "time", now)) is not None:
            found.append(read)
    if len(found) > 1:
        return f"coalesce({', '.join(found)})"
    if found or any(question.id in ("changed_at.order", "made_at.order") for question in draft.questions):
        return found[0] if found else None
    return _stated_day(draft)


def time_field(draft: Draft, name: str, column: Column, goes_to: str, now: datetime) -> str | None:
    """A field of the column's times; None where it is asked how to read them."""
    times = column.times
    assert times is not None
    format_, evidence = times.format, times.evidence
    if times.unsure is not None:
        if not times.formats:
            draft.fates[column.place] = f"unsure: {times.unsure}"
            draft.refused = f"{column.name}: {times.unsure}, so nobody can read it. Write one way only, or declare the source by hand"
            return None
        id_ = f"{name}.order"
        question = Question(
            id=id_,
            text=f"{column.name}: does the day or the month come first?",
            why=times.unsure,
            choices=(DAY_FIRST, MONTH_FIRST),
            is_needed=True,
        )
        answer = draft.ask(question)
        if answer is None:
            draft.fates[column.place] = f"unsure: {id_}"
            return None
        format_, evidence = times.formats[answer == MONTH_FIRST], f"{answer}, as was answered"
    zone = _zone(draft, column, times)
    return draft.add(
        name, "time", column, goes_to, f"{_by_name(column)}; {evidence}{_range(times)}", format=format_, zone=zone
    )


def _zone(draft: Draft, column: Column, times: Times) -> str | None:
    if times.has_offset or _IN_UTC.search(column.name):
        return None
    said = "says no offset from UTC" if times.has_clock else "says the day only"
    question = Question(
        id="zone",
        text="Of which time zone are times that say none?",
        why=f"{column.name} {said}; without an answer UTC holds",
        expected="a name such as Europe/Berlin",
    )
    answer = draft.ask(question)
    return answer


def _column(draft: Draft, now: datetime) -> Column | None:
    if draft.facts.answers.get("time") is not None:
        columns = [column for column in draft.free() if column.times is not None]
        return draft.ask_column("time", "", columns, "")
    named = [column for column in draft.named("time") if _can_be(column.times, now)]
    best = [column for column in named if rank("time", column.name) == rank("time", named[0].name)]
    if len(best) == 1:
        return best[0]
    others = [column for column in draft.free() if _can_be(column.times, now) and _speaks_of_time(column)]
    columns = best or others
    if not columns:
        draft.refused = "no column holds times that may be those of an event: without one it would have happened today"
        return None
    why = "several columns may" if len(columns) > 1 else "its name does not say"
    draft.ask_column("time", "Which column says when it happened?", columns, why, is_needed=True)
    return None


def _speaks_of_time(column: Column) -> bool:
    """Bare digits are a time only where the name says so."""
    is_birthday = any(rank(role, column.name) is not None for role in _NO_TIME_OF_AN_EVENT)
    return not is_birthday and column.times is not None and not column.times.is_number


def _can_be(times: Times | None, now: datetime) -> bool:
    """No time of an event lies ahead."""
    return times is not None and (times.last is None or times.last.replace(tzinfo=UTC) <= now)


def _stated_day(draft: Draft) -> str | None:
    question = Question(
        id="as_of",
        text="On which day was this file of people made?",
        why="no column says when a row was made or changed, and what is newer would be overruled by what is older",
        expected="a day such as 2026-01-31",
        is_needed=True,
    )
    answer = draft.ask(question)
    if answer is None:
        return None
    try:
        day = date.fromisoformat(answer)
    except ValueError:
        draft.refused = f"answer 'as_of': got '{answer[:40]}', expected a day such as 2026-01-31"
        return None
    draft.assumed.append(f"every row is of {day}, as was answered")
    return f"TIMESTAMP '{day} 00:00:00'"


def _by_name(column: Column) -> str:
    return "named like the time of it" if rank("time", column.name) is not None else "as its name or an answer says"


def _range(times: Times) -> str:
    return (
        "" if times.first is None or times.last is None else f", from {times.first:%Y-%m-%d} to {times.last:%Y-%m-%d}"
    )
