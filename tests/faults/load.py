"""What is sent under faults, and what of it must be in the lake: no figure of it is asked of the product.

The simulated shop, shuffled, so that every event is late or early; one record in ten again, days of records later; orders of years ago;
facts of no person. The truth is of whatever has been sent so far.
"""

import json
import random
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from lakehouse.demo.shop import Shop
from lakehouse.events.facts import record
from lakehouse.kafka.message import Message
from tests.told_facts import random_facts

_AGAIN = 0.1  # share of records that come again
_OLD = 0.02  # share of orders of years ago
_FACTS = 0.02
_OLD_CENTS = 1250
_REMEMBERED = 5_000  # records, of which some come again


class Load:
    """The messages of a shop of so many `events`, a few at a time. Once they are all sent it `is_whole`, and the truth tells money, too.

    accepted: ids of the events sent so far that are to be in silver, each once.
    """

    def __init__(self, events: int, seed: int) -> None:
        shop = Shop(events, seed)
        messages = list(shop.messages())
        self._choose = random.Random(f"{seed}:load")
        self._choose.shuffle(messages)
        self._messages = deque(messages)
        self._facts = deque(random_facts(seed, round(events * _FACTS)))
        self._truth = shop.truth
        self._sent: deque[Message] = deque(maxlen=_REMEMBERED)
        self._old_orders = 0
        self.events = events
        self.accepted: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Whether all of the shop has been sent."""
        return not self._messages

    def take(self, count: int) -> list[Message]:
        """Of the shop's messages so many, and what comes along; noted as sent. Fewer where there are no more."""
        taken = []
        for _ in range(min(count, len(self._messages))):
            taken += self._with_company(self._messages.popleft())
        self.accepted.update(self._ids(taken))
        return taken

    def orders(self) -> tuple[int, int]:
        """Orders of the whole load, and their money in cents, refunds taken off."""
        people = self._truth.orders_of_people().values()
        orders, cents = (sum(one[place] for one in people) for place in (0, 1))
        return orders + self._old_orders, cents + self._old_orders * _OLD_CENTS

    def _with_company(self, message: Message) -> Iterator[Message]:
        yield message
        if self._sent and self._choose.random() < _AGAIN:
            yield self._choose.choice(self._sent)
        self._sent.append(message)
        if self._choose.random() < _OLD:
            yield self._old_order(message.at)
        if self._facts and self._choose.random() < _FACTS:
            key, value = record(self._facts.popleft())
            yield Message(key, value, message.at)

    def _old_order(self, at: datetime) -> Message:
        """Of one of some customers who came years before anybody else, and say so only now."""
        self._old_orders += 1
        id_ = f"old-{self._old_orders}"
        user_id = f"old-customer-{self._choose.randrange(20)}"
        ordered = datetime(2016, 1, 1, tzinfo=UTC).timestamp() + self._choose.randrange(5 * 365 * 86_400)
        event = {
            "messageId": id_,
            "type": "track",
            "event": "Order Completed",
            "userId": user_id,
            "originalTimestamp": datetime.fromtimestamp(ordered, UTC).isoformat(),
            "sentAt": at.isoformat(),
            "receivedAt": at.isoformat(),
            "properties": {"order_id": id_, "revenue": _OLD_CENTS / 100, "currency": "USD"},
        }
        return Message(user_id.encode(), json.dumps(event).encode(), at)

    def _ids(self, messages: Iterable[Message]) -> Iterator[str]:
        """Message ids of events that are to be accepted: those of the truth, and the old orders."""
        for message in messages:
            try:
                document = json.loads(message.value or b"")
            except ValueError:
                continue
            id_ = document.get("messageId") if isinstance(document, dict) else None
            if isinstance(id_, str) and (id_ in self._truth.unit_of or id_.startswith("old-")):
                yield id_
