import asyncio
from typing import Any

from serving.state.sockets import RESYNC, Listener, Sockets
from tests.lakehouse.decisions.circumstances import passed

ANA, BEN = ["user_id:ana"], ["user_id:ben"]


class Wire:
    """A WebSocket as far as a listener uses it; `sent` what went over it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def receive_text(self) -> str:
        return str(await asyncio.Event().wait())


def heard(sockets: Sockets, keys: list[str], after: str | None = None) -> list[str]:
    """What a listener who comes now is sent."""

    async def scenario() -> list[str]:
        wire: Any = Wire()
        listener = Listener(wire)
        sockets.add(listener, keys, after)
        running = asyncio.create_task(listener.run())
        for _ in range(300):
            await asyncio.sleep(0)
        listener.end()
        await running
        sockets.remove(listener, keys)
        return list(wire.sent)

    return asyncio.run(scenario())


def test_who_comes_again_and_missed_something_of_its_own_is_told_to_ask_anew() -> None:
    sockets = Sockets()
    for id_, keys in (("d1", ANA), ("d2", BEN), ("d3", ANA), ("d4", ANA)):
        sockets.push(keys, id_, passed(id_.encode()))
    assert heard(sockets, ANA) == []
    assert heard(sockets, ANA, "d1") == [RESYNC.decode()]
    assert heard(sockets, ANA, "d4") == []


def test_who_names_what_is_not_remembered_or_anothers_is_told_to_resync() -> None:
    sockets = Sockets(most_remembered=2)
    for id_, keys in (("d1", ANA), ("d2", BEN), ("d3", ANA)):
        sockets.push(keys, id_, passed(id_.encode()))
    for after in ("d1", "d2", "unheard-of", ""):
        assert heard(sockets, ANA, after) == [RESYNC.decode()]


def test_a_slow_listener_is_not_cut_off_but_told() -> None:
    async def scenario() -> list[str]:
        wire: Any = Wire()
        sockets, listener = Sockets(), Listener(wire)
        sockets.add(listener, ANA)
        reached = [sockets.push(ANA, str(number), passed(b"%d" % number)) for number in range(102)]
        assert reached == [1] * 100 + [0, 1]
        running = asyncio.create_task(listener.run())
        for _ in range(20):
            await asyncio.sleep(0)
        assert sockets.count == 1
        sockets.end()
        await running
        return list(wire.sent)

    assert asyncio.run(scenario()) == [RESYNC.decode(), "101"]
