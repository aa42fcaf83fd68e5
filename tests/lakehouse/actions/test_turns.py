"""Of all that counts for one cap, one decision is under way at a time."""

from lakehouse.actions.turns import Turns


def test_two_decisions_of_one_cap_take_turns_and_others_need_not() -> None:
    turns, cap = Turns(), frozenset({"ana:gift"})
    with turns.of("first", cap) as first:
        with turns.of("second", cap) as second, turns.of("third", frozenset({"bo:gift"})) as third:
            assert (first, second, third) == (True, False, True)
        with turns.of("first", cap) as through_another_destination:
            assert through_another_destination
        with turns.of("second", cap) as still:
            assert not still
    with turns.of("second", cap) as later:
        assert later
