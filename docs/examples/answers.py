"""What the bots of these examples say: a fake model that gives its answer token by token, and who gets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from deskim import AsyncDeskClient
from deskim.callbacks import Event, SessionEvent
from deskim.commands import TransferToHuman
from deskim.errors import AgentUnavailableError, StreamError


async def tokens(question: str) -> AsyncIterator[str]:
    """Give an answer as a model would; put your own here."""
    for word in f"You asked: {question} I am only an example, and say so word by word.".split(" "):
        yield word + " "
        await asyncio.sleep(0.01)


async def reply(desk: AsyncDeskClient, event: SessionEvent) -> None:
    """Answer what the user wrote to the bot: with a stream, or with a human where one is wanted."""
    if event.event is not Event.USER_MESSAGE:
        return
    if not event.text:  # the user has opened the chat, or sent a picture
        await desk.send_to_session(event.session_id, "Hello! Ask me anything, or write: human")
    elif event.text.strip().lower() == "human":
        await hand_over(desk, event.session_id)
    else:
        await stream(desk, event)


async def hand_over(desk: AsyncDeskClient, session_id: str) -> None:
    """Hand the session to a human, or say that there is none."""
    try:
        transfer = await desk.call(TransferToHuman(session_id=session_id))
    except AgentUnavailableError:
        await desk.send_to_session(session_id, "Nobody is here right now. I am!")
    else:
        print("handed over to", transfer.agent_id or "the queue", flush=True)


async def stream(desk: AsyncDeskClient, event: SessionEvent) -> None:
    """Stream the answer; what a broken stream did not bring goes as an ordinary message, with what was yet to come."""
    source = tokens(event.text)
    try:
        async with desk.stream_to_session(event.session_id) as answer:
            await answer.write_all(source)
    except StreamError as broken:
        rest = broken.unsent + "".join([token async for token in source])
        if rest:
            await desk.send_to_session(event.session_id, rest)
