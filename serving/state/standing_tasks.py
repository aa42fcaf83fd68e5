"""Tasks that stand beside the requests for as long as the process runs."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable

log = logging.getLogger("stitchlake.serving")
_ANEW_SECONDS = 1.0


async def standing(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Until it is done, or cancelled. A fault that nobody thought of is told, and the work begins anew: nobody waits for such a task, so nobody would miss it.

    What the error says is left out of the log, which may be personal data; where it was raised is not.
    """
    while True:
        try:
            await work()
            return
        except Exception as error:
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("serving: %s ended by %s and begins anew, from\n%s", name, type(error).__name__, places)
            await asyncio.sleep(_ANEW_SECONDS)
