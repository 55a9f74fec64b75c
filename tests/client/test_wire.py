"""The samples of Tencent's pages hold for the client: what it sends, and what it makes of what comes back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from deskim import AsyncDeskClient, Message, commands, errors
from deskim.testing import FakeDesk
from tests.client.stage import APP_ID, KEY, Step, on_stage
from tests.client.test_retries import LANES, failure, send
from tests.support.wire import CALLS, read

pytestmark = pytest.mark.anyio
URL = read("_url")
OTHERS = [name for name in CALLS if name != "send_msg"]
Meet = Callable[[FakeDesk], contextlib.AbstractAsyncContextManager[AsyncDeskClient]]


@contextlib.asynccontextmanager
async def in_memory(desk: FakeDesk) -> AsyncIterator[AsyncDeskClient]:
    """Give a client that needs no socket."""
    async with desk.client(retry=None) as client:
        yield client


@contextlib.asynccontextmanager
async def on_a_socket(desk: FakeDesk) -> AsyncIterator[AsyncDeskClient]:
    """Give a client of the fake's socket."""
    async with desk.serve() as served, served.client(retry=None) as client:
        yield client


PLACES = pytest.mark.parametrize("place", [in_memory, on_a_socket])


def cases(*names: str, part: str = "samples") -> list[Any]:
    """Return the samples, or the errors, of some calls."""
    found = [(read(name)["path"], case) for name in names for case in read(name).get(part, [])]
    return [pytest.param(path, case, id=f"{path.rpartition('/')[2]}: {case['name']}") for path, case in found]


@PLACES
@pytest.mark.parametrize(("path", "sample"), cases("send_msg"))
async def test_a_documented_message_is_sent_field_for_field(place: Meet, path: str, sample: dict[str, Any]) -> None:
    """The body has the fields of the page, in the order of its examples, and the page's reply is a success."""
    desk = FakeDesk(APP_ID, KEY)
    async with place(desk) as client:
        result = await client.send(Message.from_dict(sample["request"]))
    (seen,) = desk.requests
    assert sample["request"] == seen.json
    if sample["from"] == "sample":  # printed on the page as it stands; tables have no order
        assert json.dumps(sample["request"]) == json.dumps(seen.json)
    assert (path, "POST", sample["reply"]) == (seen.path, seen.method, result.raw)
    assert URL["parameters"].keys() | {"sdkappid", "usersig"} == seen.query.keys()
    assert list(seen.query) == ["sdkappid", "identifier", "usersig", "random", "contenttype"]


@PLACES
@pytest.mark.parametrize(("path", "sample"), cases(*OTHERS))
async def test_any_other_call_is_made_field_for_field(place: Meet, path: str, sample: dict[str, Any]) -> None:
    """A raw command carries a documented body as it stands, whatever the state of Desk makes of it."""
    desk = FakeDesk(APP_ID, KEY)
    async with place(desk) as client:
        with contextlib.suppress(errors.APIError):
            await client.call(raw(path, sample["request"]))
    (seen,) = desk.requests
    assert (path, "POST", sample["request"]) == (seen.path, seen.method, seen.json)


def raw(path: str, body: dict[str, Any]) -> commands.RawCommand:
    """Return the call of a path."""
    _, _, service, name = path.split("/")
    return commands.RawCommand(service, name, body)


@LANES
@pytest.mark.parametrize(("path", "sample"), cases(*CALLS))
async def test_every_documented_reply_is_understood(lane: str, path: str, sample: dict[str, Any]) -> None:
    """Whatever call it is, the page's body goes out and the page's reply comes back whole."""
    step = Step(json.dumps(sample["reply"], ensure_ascii=False).encode())
    async with on_stage(step, lane=lane) as (client, script):
        reply = await client.call(raw(path, sample["request"]))
    assert sample["reply"] == reply.raw
    assert (path, sample["request"]) == (script.seen[0].target.partition("?")[0], script.seen[0].json)


REFUSED = [case for case in cases("send_msg", part="errors") if isinstance(case.values[1].get("request"), dict)]


@PLACES
@pytest.mark.parametrize(("path", "error"), REFUSED)
async def test_a_documented_refusal_is_an_error_of_ours(place: Meet, path: str, error: dict[str, Any]) -> None:
    """The code for a malformed body reaches the caller as the class of the table, REJECTED."""
    desk = FakeDesk(APP_ID, KEY)
    async with place(desk) as client:
        raised = await failure(client.call(raw(path, error["request"])))
    row = errors.lookup(error["code"])
    assert row is not None
    assert (error["code"], row.error, errors.Delivery.REJECTED) == (raised.code, type(raised), raised.delivery)
    assert [] == desk.messages


@pytest.mark.parametrize("sample", URL["samples"], ids=lambda sample: sample["name"])
async def test_documented_parameters_are_sent(sample: dict[str, Any]) -> None:
    """Each value that the page allows for a parameter is one that the client can send."""
    known = {"identifier": "administrator", "random": "1", **sample["query"]}
    async with on_stage(identifier=known["identifier"]) as (client, script):
        script.world.numbers.append(int(known["random"]))
        await send(client)
    assert known == {name: script.seen[0].query[name] for name in known}
