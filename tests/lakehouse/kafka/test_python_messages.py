"""Two threads read a kind of message for the first time, at once: it befell consumer groups on a busy machine, in one process for good."""

import threading
from typing import Any

import pytest
from kafka.protocol.consumer import OffsetFetchResponse

from lakehouse.kafka import python_messages

VERSION = 3
PATIENCE_SECONDS = 20.0


def test_two_threads_that_read_a_message_for_the_first_time_at_once_both_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python_messages.make_safe()
    message = OffsetFetchResponse(version=VERSION, throttle_time_ms=0, topics=[], error_code=7).encode()
    struct = OffsetFetchResponse._struct
    monkeypatch.setattr(struct, "_compiled_encoders", {})
    first_emits, second_emits, first_has_read = threading.Event(), threading.Event(), threading.Event()
    emit = struct.emit_decode_from

    def emit_in_turn(*arguments: Any, **named: Any) -> None:
        """The second begins while the first is at it, and goes on when the first is done."""
        if not first_emits.is_set():
            first_emits.set()
            assert second_emits.wait(PATIENCE_SECONDS)
        else:
            second_emits.set()
            assert first_has_read.wait(PATIENCE_SECONDS)
        emit(*arguments, **named)

    monkeypatch.setattr(struct, "emit_decode_from", emit_in_turn)
    codes: dict[str, int] = {}

    def read(name: str) -> None:
        codes[name] = OffsetFetchResponse.decode(message, version=VERSION).error_code

    def read_first() -> None:
        read("first")
        first_has_read.set()

    def read_second() -> None:
        assert first_emits.wait(PATIENCE_SECONDS)
        read("second")

    threads = [threading.Thread(target=read_first), threading.Thread(target=read_second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert codes == {"first": 7, "second": 7}
