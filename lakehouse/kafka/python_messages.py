"""kafka-python's messages, made safe for several clients in one process.

kafka-python 3.0.12 makes the code that reads a message when one is first read, and keeps it. While it does, the class of the
message stands in for a weak reference to it; a second thread that does the same may find the reference. Then no client
of the process reads that message any more, and a consumer group waits for its offsets for ever. Once the class itself stands
there, both threads find the same.
Source: kafka/protocol/schemas/fields/struct.py, StructField.compiled_decode_from.
"""

from collections.abc import Iterator

import kafka  # noqa: F401  # it is what declares the messages
from kafka.protocol.api_message import ApiMessage


def make_safe() -> None:
    """Before a client is made; once more changes nothing."""
    for message in _declared(ApiMessage):
        message._struct._data_class = message


def _declared(base: type[ApiMessage]) -> Iterator[type[ApiMessage]]:
    """Messages, without the classes of their versions, which share what reads them."""
    for message in type.__subclasses__(base):
        if message._class_version is None:
            yield message
            yield from _declared(message)
