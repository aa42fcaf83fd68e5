"""Records that are no events, in between those that are: what a topic carries that nobody wanted."""

import dataclasses
import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lakehouse.kafka.message import Message

Document = dict[str, Any]


def _without_id(event: Document) -> Document:
    return {name: value for name, value in event.items() if name != "messageId"}


def _other_content(event: Document) -> Document:
    """Under the id of an event that came before."""
    return event | {"properties": {**(event.get("properties") or {}), "poison": True}}


def _no_time(event: Document) -> Document:
    return event | {"originalTimestamp": "yesterday"}


_KINDS: tuple[Callable[[Document], bytes], ...] = (
    lambda event: json.dumps(event).encode()[:-20],  # cut off
    lambda event: b"\xff" + json.dumps(event).encode(),  # no text
    lambda event: json.dumps(_without_id(event)).encode(),
    lambda event: json.dumps(_other_content(event)).encode(),
    lambda event: json.dumps(_no_time(event)).encode(),
)


def poisoned(messages: Iterable[Message], share: float, seed: int) -> Iterator[Message]:
    """The messages, and behind some of them a broken copy: `share` of all records, every kind as often as another."""
    choose = random.Random(f"{seed}:poison")
    for message in messages:
        yield message
        if choose.random() < share / (1 - share) and (event := _event(message)) is not None:
            yield dataclasses.replace(message, value=choose.choice(_KINDS)(event))


def _event(message: Message) -> Document | None:
    """None = it is none: the shop has some of its own."""
    try:
        event = json.loads(message.value or b"")
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
