from lakehouse.exports import owed
from lakehouse.exports.owed import Owed


def test_while_words_wait_each_is_planned_once_and_once_more_when_all_is_heard() -> None:
    one = Owed()
    one.add({"ann", "bob"})
    assert one.next() == {"ann", "bob"}
    one.dealt_with({"ann", "bob"}, is_heard=False)
    assert (one.is_planned, bool(one)) == (True, True)
    one.add({"bob", "cat"})
    assert (one.is_planned, one.next()) == (False, {"bob", "cat"}), "what changed since is planned, for it may be to go"
    one.dealt_with({"bob", "cat"}, is_heard=False)
    assert (one.is_planned, one.next()) == (True, {"ann", "bob", "cat"})
    one.dealt_with({"ann", "bob", "cat"}, is_heard=True)
    assert not one


def test_of_everybody_likewise() -> None:
    one = Owed(everybody=True)
    assert one.next() is None
    one.add({"ann"})
    one.dealt_with(None, is_heard=False)
    assert (one.is_planned, one.next()) == (True, None)
    one.add({"bob"})
    assert one.next() == {"bob"}
    one.dealt_with({"bob"}, is_heard=True)
    assert (bool(one), one.is_planned) == (True, True), "everybody is still owed"
    one.add_everybody()
    assert (one.is_planned, one.next()) == (False, None), "nobody knows again who changed"
    one.dealt_with(None, is_heard=True)
    assert not one


def test_of_many_the_removals_of_all_have_their_turn() -> None:
    one = Owed()
    names = {f"p{number:06}" for number in range(owed.MOST_AT_ONCE + 1)}
    one.add(names)
    first = one.next()
    assert first is not None
    one.dealt_with(first, is_heard=False)
    assert (one.is_planned, one.next()) == (False, names - first)
