from lakehouse.spark.restarts import FIRST_TRIES, LONGEST_PAUSE_SECONDS, PATIENCE_SECONDS, Restarts


def test_pauses_double_up_to_a_minute() -> None:
    restarts = Restarts(has_worked=True)
    pauses = []
    for _ in range(8):
        assert restarts.fail(0.0)
        pauses.append(restarts.due)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_what_never_worked_has_few_tries() -> None:
    restarts = Restarts()
    assert [restarts.fail(0.0) for _ in range(FIRST_TRIES)] == [True] * (FIRST_TRIES - 1) + [False]


def test_what_has_worked_has_its_time_from_the_first_failure_on() -> None:
    restarts = Restarts(has_worked=True)
    assert restarts.fail(100.0)
    assert restarts.fail(99.0 + PATIENCE_SECONDS)
    assert not restarts.fail(100.0 + PATIENCE_SECONDS)


def test_what_works_again_begins_anew() -> None:
    restarts = Restarts()
    assert restarts.fail(0.0)
    restarts.worked()
    assert restarts.fail(10 * PATIENCE_SECONDS)
    assert restarts.due == 10 * PATIENCE_SECONDS + 1 < 10 * PATIENCE_SECONDS + LONGEST_PAUSE_SECONDS
