"""Being told to end, for a process whose main thread waits."""

import os
import signal
from threading import Event, Thread


def set_by_signals() -> Event:
    """Set as soon as SIGTERM or SIGINT comes, by a thread that the interpreter's own handler wakes. Once a process.

    A handler in Python runs when the main thread leaves its wait: long after a signal that came just before the wait began. And
    it might find the event's lock held by the very code it interrupts.
    """
    stopped = Event()
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def wait_for_one() -> None:
        os.read(readable, 1)
        stopped.set()

    Thread(target=wait_for_one, daemon=True).start()
    return stopped
