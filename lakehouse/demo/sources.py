"""The sources `demo` can send, by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.demo.datasets import cdnow, completejourney
from lakehouse.demo.shop import Shop
from lakehouse.errors import SourceError
from lakehouse.kafka.message import Message

SEED = 7


@dataclass(frozen=True, kw_only=True)
class DemoSource:
    """Messages in order of arrival, how many at most, and how to write the truth once all were sent (shop only).

    oldest: day before which nothing in it happened, where that is earlier than events.oldest; None = it is not.
    """

    name: str
    messages: Iterator[Message]
    count: int
    write_truth: Callable[[Path], None] | None = None
    oldest: str | None = None


def open_source(name: str, events: int | None) -> DemoSource:
    """Fetch or simulate a source.

    Raises:
        SourceError: for an unknown name, or a data package that cannot be fetched.
    """
    if name == "shop":
        shop = Shop(events or 100_000, SEED)
        return DemoSource(name=name, messages=shop.messages(), count=events or 100_000, write_truth=shop.write_truth)
    if name == "cdnow":
        return DemoSource(
            name=name, messages=cdnow.messages(events, SEED), count=cdnow.count(events), oldest="1997-01-01"
        )
    if name == "completejourney":
        return DemoSource(
            name=name, messages=completejourney.messages(events, SEED), count=completejourney.count(events)
        )
    known = ["shop", "cdnow", "completejourney"]
    raise SourceError(f"demo --source: unknown source, got {name!r}, expected one of {known}. Choose one of them")
