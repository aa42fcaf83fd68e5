import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.kafka.read_up_to import ReadUpTo

steps = st.lists(st.sampled_from(["said", "done", "look", "lost", "tick"]), max_size=60)


@given(steps)
def test_everything_said_before_the_moment_is_done_and_was_done_after_the_last_failure(steps: list[str]) -> None:
    now, said_at, done, lost_at = 0.0, list[float](), 0, -1.0
    reading = ReadUpTo(lambda: now)
    for step in steps:
        now += 2.0 if step == "tick" else 0.01
        if step == "said":
            said_at.append(now)
        elif step == "done" and done < len(said_at):
            done += 1
        elif step == "look":
            reading.look(lambda: {0: len(said_at)}, lambda: {0: done})  # noqa: B023
        elif step == "lost":
            reading.lost()
            lost_at = now
        if reading.age() < math.inf:
            moment = now - reading.age()
            assert moment > lost_at
            assert all(at > moment - 1e-9 for at in said_at[done:])


def test_it_is_reached_as_soon_as_the_ends_are_and_looked_at_anew_after_a_second() -> None:
    now, asked = 0.0, list[float]()

    def ends() -> dict[Any, int]:
        asked.append(now)
        return {0: 5, 1: 2}

    reading = ReadUpTo(lambda: now)
    for done, age in (({0: 4, 1: 2}, math.inf), ({0: 5}, math.inf), ({0: 9, 1: 2}, 2.0)):
        reading.look(ends, lambda done=done: done)
        assert reading.age() == age - (2.0 - now if age < math.inf else 0)
        now += 1.0
    assert asked == [0.0]
    reading.look(ends, lambda: {})
    assert asked == [0.0, 3.0]
    assert reading.age() == 3.0  # the last moment holds while the next is on its way


def test_nothing_is_known_of_a_topic_whose_partitions_are_not_known() -> None:
    reading = ReadUpTo(lambda: 0.0)
    reading.look(dict, dict)
    assert reading.age() == math.inf
