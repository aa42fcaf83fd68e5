import asyncio

import pytest

from serving.state import standing_tasks
from serving.state.standing_tasks import standing


def test_a_fault_nobody_thought_of_is_told_and_the_work_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(standing_tasks, "_ANEW_SECONDS", 0.0)
    begun, address = 0, "kim@example.com"

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ZeroDivisionError(address)

    asyncio.run(standing("the spool", work))
    assert begun == 3
    assert caplog.text.count("the spool ended by ZeroDivisionError and begins anew, from") == 2
    assert "in work" in caplog.text
    assert address not in caplog.text


def test_who_is_cancelled_ends() -> None:
    async def story() -> None:
        task = asyncio.create_task(standing("meters", lambda: asyncio.sleep(3600)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
