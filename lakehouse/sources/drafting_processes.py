"""Drafts made by processes of their own: mapping is most of the work of an import, and one interpreter keeps one core busy.

They begin anew (spawn) and share nothing with whoever asks: no client of Kafka, no JVM, no lock that another thread held.
"""

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

from lakehouse.errors import SourceError
from lakehouse.job import end_with
from lakehouse.sources.drafts import AT_ONCE, Drafted, Drafter, Piece, drafted, drafter
from lakehouse.sources.record import Record
from lakehouse.sources.source import Source

_MOST = 4  # processes; more would wait for whoever reads the file, which takes a quarter of the time of drafting
_AHEAD = 4  # pieces for each process that are drafted, or wait to be


@contextmanager
def drafting_processes(source: Source, processes: int | None = None) -> Iterator[Drafter]:
    """Drafts by so many processes, None = one for each core, four at most; here, where there is one core. They begin with the first file of more than one piece, and end with this process, however it ends."""
    count = processes or min(os.cpu_count() or 1, _MOST)
    if count == 1:
        yield drafter(source)
        return
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    with held, lifeline, ProcessPoolExecutor(count, context, _begin, (source, lifeline)) as pool:
        gc.freeze()  # records make no cycles, and what is there already need not be looked through for them again and again
        try:
            yield _Drafting(source, pool, count * _AHEAD)
        finally:
            gc.unfreeze()


class _Drafting:
    def __init__(self, source: Source, pool: ProcessPoolExecutor, ahead: int) -> None:
        self._source = source
        self._pool = pool
        self._ahead = ahead

    def __call__(self, pieces: Iterator[Piece]) -> Iterator[tuple[Piece, Drafted]]:
        waiting: deque[tuple[Piece, Future[Drafted]]] = deque()
        try:
            for piece in pieces:
                is_all_that_is_left = not waiting and len(piece.records) < AT_ONCE
                if is_all_that_is_left:  # done before it would be handed over
                    yield piece, drafted(self._source, piece.records)
                    continue
                waiting.append((piece, self._pool.submit(_drafted, piece.records)))
                if len(waiting) > self._ahead:
                    yield _next(waiting)
        except SourceError:
            while waiting:
                yield _next(waiting)
            raise
        while waiting:
            yield _next(waiting)


def _next(waiting: "deque[tuple[Piece, Future[Drafted]]]") -> tuple[Piece, Drafted]:
    piece, made = waiting.popleft()
    return piece, made.result()


_given: list[tuple[Source, Connection]] = []  # to this process, once, when it begins


def _begin(source: Source, lifeline: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is told, and ends this
    end_with(lifeline.fileno())
    _given.append((source, lifeline))
    gc.freeze()


def _drafted(records: Sequence[tuple[Record, str]]) -> Drafted:
    return drafted(_given[0][0], records)
