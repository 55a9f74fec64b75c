"""`deskim demo`: messages to a fake Desk over a real socket, and what their users see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rich.panel import Panel
from rich.text import Text

from deskim._client import AsyncDeskClient
from deskim._messages import Message, SendResult
from deskim.cli._message_text import addressee, lines
from deskim.cli._screen import MissingExtraError, console, safe, say
from deskim.payloads import Card
from deskim.testing import FakeDesk, SeenMessage

SESSION = "fd8a2e30-54de-4e40-bcaf-02718409c5cf"
CARD = Card(
    header="Presale",
    desc="Reserve now, pay on Monday",
    pic="https://static.cloudcachetci.com/qcloud/portal/kit/images/presale.a4955999.jpeg",
    url="https://www.qcloud.com/",
)
BATCH = 50


async def demo() -> None:
    """Send messages to a fake Desk on this machine, over a socket and signed, and show what users see.

    It needs no account and no settings.
    """
    fake = FakeDesk()
    try:
        async with fake.serve() as served, served.client() as desk:
            say(f"A fake Desk listens at {served.base_url}; it checks signatures and messages as Tencent's pages say.")
            for step in STEPS:
                await step(fake, desk)
    except ImportError:
        raise MissingExtraError("testing") from None
    say()
    say(f"{len(fake.requests)} requests came, {len(fake.messages)} messages were seen, each of them once.", "bold")


async def text_to_session(fake: FakeDesk, desk: AsyncDeskClient) -> None:
    """Send a text into a session."""
    _title("A text into a session")
    _show(await desk.send_to_session(SESSION, "Your parcel left our warehouse today."), fake)


async def card_to_user(fake: FakeDesk, desk: AsyncDeskClient) -> None:
    """Send a card to a user while a reply is lost."""
    _title("A card to a user, while the network loses Desk's reply")
    fake.drop_replies()
    _show(await desk.send_to_user("user45", CARD), fake)
    say("Desk had the card, and the client could not know: it sent the same MsgRandom again, and the user saw it once.")


async def small_batch(fake: FakeDesk, desk: AsyncDeskClient) -> None:
    """Send a small batch while Desk throttles, a reply is lost and a gateway fails."""
    _title(f"A batch to {BATCH} users, while Desk throttles, a reply is lost and a gateway fails")
    fake.fail_next(60011)
    fake.drop_replies()
    fake.respond_next(502, "bad gateway")
    messages = (Message.to_user(f"user{n}", f"Hello user{n}, the sale begins on Monday.") for n in range(BATCH))
    report = await desk.send_batch(messages, concurrency=8)
    say(f"{report.summary()} in {report.elapsed:.1f} s", "green")
    seen = {message.to_account for message in fake.messages[-BATCH:]}
    say(f"{len(seen)} users see one message each, such as: {fake.sent_to('user7')[0].text}")


Step = Callable[[FakeDesk, AsyncDeskClient], Awaitable[None]]
STEPS: tuple[Step, ...] = (text_to_session, card_to_user, small_batch)


def _title(text: str) -> None:
    say()
    say(text, "bold")


def _show(result: SendResult, fake: FakeDesk) -> None:
    again = f"{result.attempts} attempts" if result.attempts > 1 else "1 attempt"
    say(f"sent with {again} in {result.elapsed * 1000:.0f} ms, MsgRandom {result.msg_random}", "green")
    show_seen(fake.messages[-1])


def show_seen(message: SeenMessage) -> None:
    """Show a message as its recipient sees it: in a frame on a terminal, as plain lines in a pipe."""
    text = [safe(line) for line in lines(message)]
    if console().is_terminal:
        console().print(Panel(Text("\n".join(text)), title=Text(addressee(message)), title_align="left", expand=False))
    else:
        say("\n".join([f"{addressee(message)} sees:", *(f"  {line}" for line in text)]))
