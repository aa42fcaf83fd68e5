import asyncio

from serving.messages.pushes import Outbox

RESYNC = "resync"


def test_messages_come_in_order_and_a_full_listener_is_told_to_resync() -> None:
    async def scenario() -> None:
        outbox: Outbox[str] = Outbox(3, RESYNC)
        assert [outbox.put(str(number)) for number in range(5)] == [True, True, True, False, True]
        assert [await outbox.next(), await outbox.next()] == [RESYNC, "4"]
        waiting = asyncio.create_task(outbox.next())
        await asyncio.sleep(0)
        outbox.put("5")
        assert await waiting == "5"

    asyncio.run(scenario())


def test_the_end_comes_before_what_waits() -> None:
    async def scenario() -> None:
        outbox: Outbox[str] = Outbox(3, RESYNC)
        waiting = asyncio.create_task(outbox.next())
        await asyncio.sleep(0)
        outbox.put("1")
        outbox.end()
        assert [await waiting, await outbox.next()] == [None, None]

    asyncio.run(scenario())
