"""An import beside a running stream: it hands over a little, and the next only once the stream has begun to read that.

Both write to one topic, and a stream reads that in order: of a history of ten million records that lies in it, today's events would be the last. So
a micro-batch gets at most imports.beside_stream records of an import more, and takes that much longer.
"""

import time
from collections.abc import Callable

from lakehouse.lake.checkpoint import Ends

_LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 30.0  # a stream that begins no micro-batch for so long, while records wait for it, does not run


class BesideStream:
    """`read_to`: where the newest micro-batch of the stream ends, None = there never was one. `ends`: where the topic ends."""

    def __init__(
        self,
        read_to: Callable[[], Ends | None],
        ends: Callable[[], Ends],
        tell: Callable[[str], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_to = read_to
        self._ends = ends
        self._tell = tell
        self._sleep = sleep
        self._clock = clock
        self._stands_at: Ends | None = None

    def wait(self) -> None:
        """Return once a micro-batch has begun that reads all that is in the topic now; at once, where no stream runs."""
        read = self._read_to()
        if read is None or read == self._stands_at:
            return
        there, since = self._ends(), self._clock()
        while _waiting(there, read):
            if self._clock() - since > PATIENCE_SECONDS:
                self._stands_at = read
                self._tell(
                    f"no stream reads the topic (nothing in {PATIENCE_SECONDS:.0f} s): nobody is waited for until one does"
                )
                return
            self._sleep(_LOOK_SECONDS)
            before, read = read, self._read_to() or {}
            since = since if read == before else self._clock()


def _waiting(there: Ends, read: Ends) -> bool:
    return any(
        end > read.get(topic, {}).get(partition, 0)
        for topic, partitions in there.items()
        for partition, end in partitions.items()
    )
