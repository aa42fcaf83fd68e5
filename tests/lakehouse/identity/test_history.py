import pandas as pd

from lakehouse.identity.history import history, moved, opened
from tests.lakehouse.identity.identity_graphs import at


def rows(*facts, columns):
    frame = pd.DataFrame(facts, columns=columns)
    times = [name for name in columns if name in ("valid_from", "valid_to", "changed_at", "resolved_at")]
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in times})


def told(frame: pd.DataFrame) -> list[tuple]:
    minute = frame.assign(
        **{name: (frame[name] - at(0)).dt.total_seconds() / 60 for name in ("valid_from", "valid_to")}
    )
    return [tuple(None if pd.isna(value) else value for value in row) for row in minute.to_numpy()]


LOG = ["actor_id", "to_profile_id", "batch_id", "changed_at"]
MOVES = ["actor_id", "profile_id", "resolved_at"]
HISTORY = ["actor_id", "profile_id", "valid_from", "valid_to"]


def test_the_log_becomes_validities_that_touch_and_the_last_is_open():
    log = rows(
        ("ann", "bob", 1, at(20)), ("ann", "ann", 0, at(10)), ("bob", "bob", 0, at(10)), ("ann", "ann", 2, at(30)),
        columns=LOG,
    )  # fmt: skip
    assert told(history(log)) == [
        ("ann", "ann", 10, 20), ("ann", "bob", 20, 30), ("ann", "ann", 30, None), ("bob", "bob", 10, None),
    ]  # fmt: skip


def test_two_changes_at_one_instant_leave_the_later_and_to_stay_is_no_change():
    log = rows(
        ("ann", "ann", 0, at(10)), ("ann", "cat", 2, at(20)), ("ann", "bob", 1, at(20)), ("ann", "cat", 3, at(30)),
        columns=LOG,
    )  # fmt: skip
    assert told(history(log)) == [("ann", "ann", 10, 20), ("ann", "cat", 20, None)]


def test_a_new_actor_opens_a_validity():
    assert told(opened(rows(("ann", "ann", at(10)), columns=MOVES))) == [("ann", "ann", 10, None)]


def test_moves_close_what_was_open_and_open_the_rest():
    stored = rows(("ann", "ann", at(10), None), columns=HISTORY)
    moves = rows(("ann", "cat", at(30)), ("ann", "bob", at(20)), columns=MOVES)
    assert told(moved(moves, stored)) == [("ann", "ann", 10, 20), ("ann", "bob", 20, 30), ("ann", "cat", 30, None)]


def test_moves_that_are_told_already_are_left_out():
    stored = rows(("ann", "ann", at(10), at(20)), ("ann", "bob", at(20), None), columns=HISTORY)
    assert told(moved(rows(("ann", "bob", at(20)), columns=MOVES), stored)) == []


def test_an_earlier_move_that_was_not_told_goes_in_between():
    stored = rows(("ann", "ann", at(10), at(30)), ("ann", "cat", at(30), None), columns=HISTORY)
    moves = rows(("ann", "bob", at(20)), ("ann", "cat", at(30)), columns=MOVES)
    assert told(moved(moves, stored)) == [("ann", "ann", 10, 20), ("ann", "bob", 20, 30)]


def test_no_moves_change_nothing():
    assert told(moved(rows(columns=MOVES), rows(columns=HISTORY))) == []
