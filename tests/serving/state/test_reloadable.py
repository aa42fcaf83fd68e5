"""What a file says, for many threads, while it is read, changes or is at fault."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from lakehouse.errors import ConfigError, StoreError
from serving.state.reloadable import Reloadable

PATIENCE = 30


def text_of(path: Path) -> str:
    if "fault" in (text := path.read_text()):
        raise ConfigError(f"{path.name}: line 1: got a fault, expected none")
    return text


class Clock:
    """Every look is a new second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text("one")
    return path


def test_a_fault_keeps_what_was_there_and_ends_with_the_next_file(path: Path) -> None:
    of_file = Reloadable(path, text_of, clock=Clock())
    assert (of_file.current, of_file.fault) == ("one", None)
    path.write_text("a fault")
    assert (of_file.current, of_file.fault) == ("one", "rules.yaml: line 1: got a fault, expected none")
    path.unlink()
    assert (of_file.current, of_file.fault) == ("one", "rules.yaml: No such file or directory")
    path.write_text("two!")
    assert (of_file.current, of_file.fault) == ("two!", None)


def test_it_looks_once_a_second(path: Path) -> None:
    now = 0.0
    of_file = Reloadable(path, text_of, clock=lambda: now)
    assert of_file.current == "one"
    path.write_text("two!")
    now = 0.9
    assert of_file.current == "one"
    now = 1.0
    assert of_file.current == "two!"


def _held(entered: Event, go_on: Event) -> Callable[[Path], str]:
    def read(path: Path) -> str:
        entered.set()
        assert go_on.wait(PATIENCE)
        return text_of(path)

    return read


def test_who_comes_while_it_is_read_for_the_first_time_waits_for_it(path: Path) -> None:
    entered, go_on = Event(), Event()
    of_file = Reloadable(path, _held(entered, go_on))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: of_file.current)
        assert entered.wait(PATIENCE)
        second = pool.submit(lambda: of_file.current)
        assert not second.done()
        go_on.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == ("one", "one")


def test_who_comes_while_it_is_read_anew_has_what_was_there_and_does_not_wait(path: Path) -> None:
    entered, go_on = Event(), Event()
    go_on.set()
    of_file = Reloadable(path, _held(entered, go_on), clock=Clock())
    assert of_file.current == "one"
    path.write_text("two!")
    entered.clear()
    go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(lambda: of_file.current)
        assert entered.wait(PATIENCE)
        assert of_file.current == "one"
        go_on.set()
        assert reader.result(PATIENCE) == "two!"


def test_what_it_relies_on_is_read_before_it_and_a_fault_of_that_ends_with_it(tmp_path: Path, path: Path) -> None:
    offers_path = tmp_path / "offers.yaml"
    offers_path.write_text("a fault")
    offers = Reloadable(offers_path, text_of, clock=Clock())

    def read(path: Path) -> str:
        if offers.current is None:
            raise ConfigError("no offer is known")
        return f"{path.read_text()} of {offers.current}"

    rules = Reloadable(path, read, relies_on=[offers], clock=Clock())
    assert (rules.current, rules.fault) == (None, "no offer is known")
    offers_path.write_text("many")
    assert (rules.current, rules.fault) == ("one of many", None)
    offers_path.write_text("few")
    assert rules.current == "one of few"


def test_a_store_that_was_away_while_it_was_read_is_no_fault_of_the_file(path: Path) -> None:
    answers = iter([StoreError("store: away"), "one"])

    def read(path: Path) -> str:
        if isinstance(answer := next(answers), StoreError):
            raise answer
        return answer

    of_file = Reloadable(path, read, clock=Clock())
    assert (of_file.current, of_file.fault) == (None, "store: away")
    assert (of_file.current, of_file.fault) == ("one", None)
    assert of_file.current == "one"  # and is not read again
