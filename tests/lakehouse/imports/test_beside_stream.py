"""An import waits for a stream that reads, and for none that does not."""

from collections.abc import Iterator

from lakehouse.imports.beside_stream import PATIENCE_SECONDS, BesideStream
from lakehouse.lake.checkpoint import Ends


def at(offset: int) -> Ends:
    return {"events": {"0": offset, "1": 5}}


class Stream:
    """`reads`: where it has read to, look by look; the last one stays."""

    def __init__(self, *reads: int | None) -> None:
        self._reads = list(reads)
        self.now, self.end = 0.0, 100
        self.told: list[str] = []
        self.beside = BesideStream(
            self._read, lambda: at(self.end), self.told.append, sleep=self._sleep, clock=lambda: self.now
        )

    def waited(self) -> float:
        began = self.now
        self.beside.wait()
        return self.now - began

    def goes_on(self, *reads: int) -> None:
        self._reads = list(reads)

    def _read(self) -> Ends | None:
        said = self._reads.pop(0) if len(self._reads) > 1 else self._reads[0]
        return None if said is None else at(said)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def slowly(first: int, last: int) -> Iterator[int]:
    """A step each twenty seconds."""
    return (one for one in range(first, last + 1, 10) for _ in range(100))


def test_where_no_stream_ever_was_nobody_is_waited_for() -> None:
    assert Stream(None).waited() == 0


def test_it_waits_until_the_stream_has_begun_to_read_what_is_there() -> None:
    stream = Stream(40, 40, 60, 99, 100)
    assert round(stream.waited(), 1) == 0.8
    assert stream.waited() == 0
    stream.end = 120
    stream.goes_on(100, 110, 120)
    assert round(stream.waited(), 1) == 0.4


def test_a_stream_that_is_slow_is_waited_for() -> None:
    stream = Stream(*slowly(40, 100))
    assert stream.waited() > 2 * PATIENCE_SECONDS
    assert stream.told == []


def test_one_that_does_not_read_is_given_up_until_it_does() -> None:
    stream = Stream(40)
    assert PATIENCE_SECONDS < stream.waited() < PATIENCE_SECONDS + 1
    assert len(stream.told) == 1
    assert stream.waited() == 0
    stream.goes_on(50, 50, 100)
    assert stream.waited() > 0
