"""Who was in two arms: a promise that was not kept, or two names that became one person later."""

from typing import Any

import pandas as pd
import pytest

from lakehouse.experiments import sticky
from lakehouse.experiments.readout import read_out
from lakehouse.experiments.sticky import arms_told

DAY = pd.Timestamp("2026-03-01", tz="UTC")


def day(number: float | None) -> pd.Timestamp:
    return pd.NaT if number is None else DAY + pd.Timedelta(days=number)


def told(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """unit, told_as, arm, day."""
    frame = pd.DataFrame(rows, columns=["unit", "told_as", "arm", "day"])
    times = frame["day"].map(day)
    return frame.assign(decided_at=times, occurred_at=times)


def history(*rows: tuple[str, str, float, float | None]) -> pd.DataFrame:
    """told_as, profile_id, valid_from, valid_to."""
    columns = ["told_as", "profile_id", "valid_from", "valid_to"]
    return pd.DataFrame([(*row[:2], day(row[2]), day(row[3])) for row in rows], columns=columns)


TWO_ARMS = told(("ann", "phone", "a", 1), ("ann", "laptop", "b", 3), ("bob", "bob", "a", 2))


@pytest.mark.parametrize(
    ("known", "is_break"),
    [
        (history(("phone", "p", 0, 5), ("phone", "l", 5, None), ("laptop", "l", 0, None)), False),
        (history(("phone", "p", 0, 2), ("phone", "l", 2, None), ("laptop", "l", 0, None)), True),
        (history(("phone", "l", 0, 2), ("phone", "p", 2, 4), ("phone", "l", 4, None), ("laptop", "l", 0, None)), False),
        (history(("laptop", "l", 0, None)), True),
        (history(), True),
    ],
    ids=["one afterwards", "one before", "one before and after", "of one nothing is known", "of both"],
)
def test_two_names_of_one_person_are_a_break_when_that_was_known(known: pd.DataFrame, is_break: bool) -> None:
    found = arms_told(TWO_ARMS, known)
    assert (found.broken, found.merged) == ((("ann",), ()) if is_break else ((), ("ann",)))
    assert found.first["unit"].tolist() == ["bob"]


def test_many_exposures_of_a_person_cost_no_more_than_their_number_times_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = history(("phone", "p", 0, 500), ("phone", "l", 500, None), ("laptop", "l", 0, None))
    asked, truth = [], sticky._known_as_one

    def known_as_one(*question: Any) -> bool:
        asked.append(question)
        return truth(*question)

    many = told(*(("ann", *(("phone", "a"), ("laptop", "b"))[number % 2], number) for number in range(200)))
    monkeypatch.setattr(sticky, "_known_as_one", known_as_one)
    assert arms_told(many, known).merged == ("ann",)
    assert len(asked) < 200


def test_one_name_in_two_arms_is_a_break_whatever_is_known() -> None:
    found = arms_told(told(("ann", "ann", "a", 1), ("ann", "ann", "b", 2), ("bob", "bob", "b", 1)), history())
    assert (found.broken, found.merged) == (("ann",), ())


def test_a_person_counts_once_and_from_their_first_exposure_on() -> None:
    found = arms_told(told(("ann", "laptop", "a", 4), ("ann", "phone", "a", 2), ("ann", "phone", "a", 9)), history())
    assert found.first.to_dict("records") == [{"unit": "ann", "arm": "a", "occurred_at": day(2)}]


def test_a_break_blocks_the_read_out_with_how_many_there_are() -> None:
    units = pd.DataFrame({"arm": ["a", "b"] * 50, "value": [1.0, 2.0] * 50})
    found = read_out(units, ["value"], baseline="a", excluded=3, broken=3)
    assert found.blocked_because == ("3 were in more than one arm, expected everybody to stay in one",)
    assert not read_out(units, ["value"], baseline="a", excluded=3).is_blocked
