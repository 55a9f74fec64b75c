"""A bot that runs until it is stopped: it tells users who wait in the queue that they are not forgotten.

Run it with ``python patience_bot.py SECONDS SESSION...``; Ctrl-C and SIGTERM stop it cleanly. The environment holds
DESKIM_SDK_APP_ID and DESKIM_SECRET_KEY.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from deskim import AsyncDeskClient
from deskim.commands import CurrentState, GetSessionState
from deskim.errors import DeskError

logger = logging.getLogger("patience")


async def look_after(desk: AsyncDeskClient, session_id: str) -> bool:
    """Comfort a user who waits; return whether there is still somebody to look after."""
    state = await desk.call(GetSessionState(session_id=session_id))
    if state.current_state is CurrentState.QUEUEING:
        await desk.send_to_session(session_id, "You are in the queue; somebody will be with you soon.")
    return state.current_state is not CurrentState.NOT_IN_SESSION


async def watch(desk: AsyncDeskClient, session_id: str, pause: float) -> None:
    """Look after one session until it ends; a call that fails is tried again at the next round."""
    present = True
    while present:
        await asyncio.sleep(pause)
        try:
            present = await look_after(desk, session_id)
        except DeskError as error:
            logger.warning("%s: %s", session_id, error)


async def main(pause: float, session_ids: list[str]) -> None:
    """Look after all sessions at once, until they have ended or somebody stops the program."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as asyncio.run does for Ctrl-C
    try:
        async with AsyncDeskClient.from_env() as desk, asyncio.TaskGroup() as group:
            for session_id in session_ids:
                group.create_task(watch(desk, session_id, pause))
    except asyncio.CancelledError:
        print("stopped", flush=True)
    else:
        print("all sessions have ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
