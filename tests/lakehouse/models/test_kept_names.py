from lakehouse.models.kept_names import kept_names


def test_the_first_training_names_as_it_likes() -> None:
    assert kept_names(["loyal", "lost"], {}) == ("loyal", "lost")


def test_the_same_people_keep_their_name_whatever_the_order() -> None:
    shared = {("loyal", 1): 90, ("loyal", 0): 10, ("lost", 0): 80, ("lost", 1): 5}
    assert kept_names(["recent", "lapsing"], shared) == ("lost", "loyal")


def test_what_has_changed_too_much_is_named_anew_and_never_as_another() -> None:
    """The old lost are torn in three: none has half of them, and the name is free; loyal stays."""
    shared = {("loyal", 0): 100, ("lost", 1): 30, ("lost", 2): 30, ("lost", 3): 30}
    assert kept_names(["champions", "lost", "loyal", "loyal"], shared) == ("loyal", "lost", "loyal 2", "loyal 3")


def test_an_exact_half_is_the_same() -> None:
    assert kept_names(["new"], {("old", 0): 50, ("gone", 0): 50}) in (("old",), ("gone",))
    assert kept_names(["new"], {("old", 0): 49, ("gone", 0): 51}) == ("gone",)


def test_two_old_segments_that_became_one_give_it_the_larger_ones_name() -> None:
    assert kept_names(["all"], {("big", 0): 70, ("small", 0): 30}) == ("big",)
