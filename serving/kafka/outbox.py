"""Records that are kept before anybody is told so: Kafka has acknowledged them, or the spool has them while it does not answer.

In the order they came. As soon as Kafka is late with one, it is tried no more: whatever is under way goes to the spool at once, in order, and
whatever comes then goes behind it. One task sends what lies there. When little is left, newcomers wait for the moment until all is
sent, and go to Kafka themselves again. A record may be in Kafka twice, never not at all: each has an id by which readers know a repeat.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from serving.kafka.producer import PATIENCE_SECONDS, KafkaOut, Overloaded, Sending
from serving.kafka.record_frames import Record, frames
from serving.kafka.spool import Full, Spool

log = logging.getLogger("stitchlake.serving")
_DRAINED_SECONDS = 5.0  # the same for records that lie safe
_PAUSE_SECONDS = 0.5  # between two tries to send them
_LITTLE_BYTES = 500_000  # left in the spool: newcomers wait


@dataclass(slots=True, eq=False)
class _UnderWay:
    """Records of one caller. spooled: they are on their way to the spool; None = Kafka is waited for."""

    sending: Sending
    spooled: "asyncio.Future[None] | None" = None


class Outbox:
    """`spool`: None = what Kafka does not acknowledge is not kept. `out`: nobody else's, for it is told to forget."""

    def __init__(self, out: KafkaOut, spool: Spool | None) -> None:
        self.out = out
        self._spool = spool
        self._under_way: dict[_UnderWay, None] = {}  # in the order they came
        self._to_write: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._has_spooled = asyncio.Event()
        self._may_come = asyncio.Event()
        self._may_come.set()
        if spool is not None and spool.size:
            log.warning("spool: %d bytes of records lie there, of a process before this one", spool.size)
            self._has_spooled.set()

    @property
    def spooled_bytes(self) -> int:
        """On disk, and not in Kafka yet."""
        return 0 if self._spool is None else self._spool.size

    async def keep(self, records: Sequence[Record]) -> int:
        """How many of them are kept; fewer than came only if Kafka refuses some for good, or there is no spool.

        Raises:
            Overloaded: too many records wait for Kafka.
            Full: Kafka does not answer, and the spool has no room.
        """
        if not self._may_come.is_set():
            await self._may_come.wait()
        if self._spool is not None and self._has_spooled.is_set():
            await self._to_spool(self._spool, records)
            return len(records)
        under_way = _UnderWay(self.out.send_all(records))
        self._under_way[under_way] = None
        try:
            await _settled(under_way.sending, PATIENCE_SECONDS)
            left = under_way.sending.left
            if left and self._spool is not None and under_way.spooled is None:
                self._go_away(self._spool)
            if under_way.spooled is not None:
                await under_way.spooled
                return len(records) - len(under_way.sending.refused)
            return under_way.sending.acknowledged
        finally:
            self._under_way.pop(under_way, None)

    def _go_away(self, spool: Spool) -> None:
        """From Kafka: all that is under way goes to the spool, each caller's behind that of who came before."""
        log.warning("spool: Kafka does not answer; records are kept on disk until it does")
        self._has_spooled.set()
        for under_way in self._under_way:
            under_way.spooled = self._to_spool(spool, under_way.sending.left)
        self._under_way.clear()
        self.out.forget()

    def _to_spool(self, spool: Spool, records: Sequence[Record]) -> "asyncio.Future[None]":
        """Done when they are on disk; all that wait are written at once. Fails with Full."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not records:
            done.set_result(None)
            return done
        framed = frames(records)
        if not spool.has_room(self._waiting_bytes + len(framed)):
            done.set_exception(
                Full(f"spool: {spool.size} bytes wait for Kafka, expected room for more. Send it again later")
            )
            return done
        self._to_write.append((framed, done))
        self._waiting_bytes += len(framed)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write(spool))
        return done

    async def _write(self, spool: Spool) -> None:
        while self._to_write:
            waiting, self._to_write, self._waiting_bytes = self._to_write, [], 0
            failed: Exception | None = None
            try:
                await asyncio.to_thread(spool.write, b"".join(framed for framed, _ in waiting))
            except Exception as error:  # Full; and of a fault that nobody thought of, whoever waits hears, too
                failed = error
            for _, done in waiting:
                if done.done():  # whoever waited has gone
                    continue
                if failed is None:
                    done.set_result(None)
                else:
                    done.set_exception(failed)
        self._writing = None

    async def follow(self) -> None:
        """Send what lies in the spool, whenever something does; until cancelled."""
        if (spool := self._spool) is None:
            return
        while True:
            await self._has_spooled.wait()
            await _though_the_disk_fails(lambda: self._drain(spool), self._may_come.set)

    async def _drain(self, spool: Spool) -> None:
        """Send the next records; when nothing lies there any more, newcomers go to Kafka again."""
        unsent = await asyncio.to_thread(spool.read)
        if unsent is None and self._writing is not None:
            await asyncio.wait([self._writing])
        elif unsent is None and not spool.size:  # what was written since the spool was read is there
            spool.clear()
            self._has_spooled.clear()
            self._may_come.set()
            log.warning("spool: empty; Kafka has all of it")
        elif unsent is not None:
            if refused := await self._sent(unsent.records):
                aside = partial(asyncio.to_thread, spool.put_aside, refused)
                await _though_the_disk_fails(aside, self._may_come.set)
            await asyncio.to_thread(spool.confirm, unsent)
            if spool.size < _LITTLE_BYTES:
                self._may_come.clear()

    async def _sent(self, records: Sequence[Record]) -> list[Record]:
        """Until Kafka has them, in order; those that it will never take. What it has acknowledged is not sent again."""
        refused: list[Record] = []
        while records:
            seconds = _DRAINED_SECONDS if self._may_come.is_set() else PATIENCE_SECONDS
            sending = None
            with suppress(Overloaded):  # what was forgotten is not reported yet
                sending = self.out.send_all(records)
                await _settled(sending, seconds)
            if sending is None or sending.left:
                self.out.forget()
                self._may_come.set()
                await asyncio.sleep(_PAUSE_SECONDS)  # in which it is told what became of it
            if sending is not None:
                refused += sending.refused
                records = sending.left
        return refused

    def close(self) -> None:
        """Send what is under way, not for long. What lies in the spool stays there for the next process."""
        self.out.close()
        if self._spool is not None:
            self._spool.close()


async def _settled(sending: Sending, seconds: float) -> None:
    """It is known of each what became of it, or so long has passed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await sending.done


async def _though_the_disk_fails(do: Callable[[], Awaitable[None]], meanwhile: Callable[[], None]) -> None:
    """Until it is done: what was kept is safe, and waits until somebody mends the disk. `meanwhile`: done each time that it fails."""
    while True:
        try:
            await do()
            return
        except OSError as error:
            log.error("spool: cannot be read or written, got %s, expected a disk that works", error.strerror)
            meanwhile()
            await asyncio.sleep(_PAUSE_SECONDS)
