"""Use the public names as a program would; type checkers read this file, nothing runs it."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import assert_type

import httpx

from deskim import (
    AsyncDeskClient,
    Batch,
    BatchReport,
    Card,
    CustomElem,
    Delivery,
    DeskError,
    DeskTransport,
    Elem,
    FaceElem,
    FileElem,
    HTTPClient,
    ImageElem,
    ImageInfo,
    LocationElem,
    Message,
    MessageStream,
    Outcome,
    RateLimit,
    RawElem,
    Region,
    RetryPolicy,
    SendResult,
    SoundElem,
    TextElem,
    UserSigProvider,
    UserSigSigner,
    VideoFileElem,
    commands,
    errors,
    sign_usersig,
)
from deskim.testing import FakeDesk


def settings(verify: ssl.SSLContext, borrowed: httpx.AsyncClient, provider: UserSigProvider) -> list[AsyncDeskClient]:
    """Make clients in every way that is offered."""
    client: HTTPClient = borrowed
    return [
        AsyncDeskClient(1400000000, secret_key="key"),
        AsyncDeskClient(1400000000, usersig="signature", identifier="admin", region="singapore"),
        AsyncDeskClient(1400000000, usersig=provider, region=Region.CHINA, verify=verify, proxy="http://proxy:3128"),
        AsyncDeskClient(1400000000, usersig=UserSigSigner(1400000000, "key"), http_client=client, signature_in="url"),
        AsyncDeskClient(1400000000, secret_key="key", retry=None, rate_limit=None, timeout=5, deadline=20),
        AsyncDeskClient(
            1400000000, secret_key="key", retry=RetryPolicy(max_attempts=2), rate_limit=RateLimit(50, burst=1)
        ),
        AsyncDeskClient.from_env(customer_service_account="@service"),
        FakeDesk().client(),
    ]


async def single_messages(desk: AsyncDeskClient, card: Card) -> None:
    """Send strings, elements and payloads."""
    assert_type(await desk.send_to_session("session", "text", card, cloud_custom_data="{}"), SendResult)
    assert_type(await desk.send_to_user("user45", TextElem("text"), from_account="@service", deadline=3.0), SendResult)
    message = Message.to_session("session", "text", key="order-1")
    assert_type(message, Message)
    assert_type(message.again(), Message)
    assert_type(Message.from_dict(message.to_dict()), Message)
    result = await desk.send(message)
    assert_type(result.msg_random, int)
    assert_type(result.attempts, int)
    assert_type(result.elapsed, float)
    assert_type(result.msg_key, str | None)


async def batches(desk: AsyncDeskClient, lazy: Iterator[Message], later: AsyncIterator[Message], path: Path) -> None:
    """Send many messages, with a report at the end and with outcomes on the way."""

    async def note(outcome: Outcome) -> None:
        assert_type(outcome.delivery, Delivery)

    assert_type(await desk.send_batch(lazy, journal=path, on_unknown="resend"), BatchReport)
    assert_type(await desk.send_batch(later, on_outcome=note, stop_after_failures=10), BatchReport)
    async with desk.batch(lazy, concurrency=8) as batch:
        assert_type(batch, Batch)
        async for outcome in batch:
            assert_type(outcome, Outcome)
            assert_type(outcome.result, SendResult | None)
            assert_type(outcome.error, DeskError | None)
            assert_type(outcome.index, int)
        assert_type(batch.report, BatchReport)
        batch.report.raise_for_failures()


async def stream(desk: AsyncDeskClient) -> None:
    """Open a message that grows."""
    async with desk.stream_to_session("session") as message:
        assert_type(message, MessageStream)


async def other_calls(desk: AsyncDeskClient) -> None:
    """Get the reply that a command names."""
    assert_type(await desk.call(commands.GetSessionState(session_id="session")), commands.SessionState)


def caught(error: DeskError) -> None:
    """Read what an error carries."""
    assert_type(error.code, int | None)
    assert_type(error.info, str)
    assert_type(error.delivery, Delivery)
    assert_type(error.retryable, bool)
    assert_type(error.retry_after, float | None)
    assert_type(error.attempts, int)
    assert_type(error.msg_random, int | None)
    if isinstance(error, errors.RateLimitError):
        assert_type(error, errors.RateLimitError)


async def transport() -> None:
    """Put the transport under a plain client."""
    async with httpx.AsyncClient(transport=DeskTransport(max_connections=8)) as client:
        assert_type((await client.get("https://example.com")).status_code, int)


KINDS: tuple[type[Elem], ...] = (
    TextElem,
    LocationElem,
    FaceElem,
    CustomElem,
    SoundElem,
    ImageElem,
    FileElem,
    VideoFileElem,
    RawElem,
)


def pictures(element: ImageElem) -> Sequence[ImageInfo]:
    """Read the parts of an element."""
    return element.image_info_array


def signature() -> str:
    """Sign without a client."""
    return sign_usersig(1400000000, os.environ["DESKIM_SECRET_KEY"], "administrator")
