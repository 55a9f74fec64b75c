from __future__ import annotations

import re
from typing import Any

import pytest

from deskim._codec import dump_body
from deskim.testing import FakeDesk
from deskim.testing._commands import COMMANDS
from tests.support.conversations import comparable, prepare
from tests.support.poster import Clock, Poster, in_memory, message, pack
from tests.support.wire import CALLS, body_of, read

pytestmark = pytest.mark.anyio

KNOWN = [name for name in CALLS if read(name)["path"] in COMMANDS]
URL = read("_url")
USERSIG = read("_usersig")


def cases(part: str) -> list[Any]:
    """Return the samples, or the errors, of every call that the fake knows."""
    calls = [(read(name)["path"], case) for name in KNOWN for case in read(name).get(part, [])]
    return [pytest.param(path, case, id=f"{path.rpartition('/')[2]}: {case['name']}") for path, case in calls]


def named(found: list[dict[str, Any]]) -> list[Any]:
    """Return cases that the test run calls by their names."""
    return [pytest.param(case, id=case["name"]) for case in found]


@pytest.mark.parametrize("name", CALLS)
def test_every_file_names_its_page_and_each_case_once(name: str) -> None:
    """A file of samples says where it is from, and no two of its cases have one name."""
    wire = read(name)
    found = [*wire["samples"], *wire.get("errors", [])]
    assert name == wire["path"].rpartition("/")[2]
    assert [] == [page for page in [wire["page"], *(c["page"] for c in found if "page" in c)] if not _is_page(page)]
    assert len(found) == len({case["name"] for case in found})


def _is_page(page: str) -> bool:
    return re.fullmatch(r"(269|647|679|1047|1229)/\d+", page) is not None


def test_the_fake_knows_calls_that_have_samples() -> None:
    """Whatever the fake answers is judged by a file."""
    assert set(COMMANDS) == {read(name)["path"] for name in KNOWN}


@pytest.mark.parametrize(("path", "sample"), cases("samples"))
async def test_a_documented_request_gets_the_documented_reply(
    poster: Poster, path: str, sample: dict[str, Any]
) -> None:
    """The fake takes every sample and answers as the page shows."""
    prepare(poster.desk, path, sample)
    reply = await poster.post(body_of(sample), path=path)
    assert (200, comparable(path, sample["reply"])) == (reply.status_code, comparable(path, reply.json()))


@pytest.mark.parametrize(("path", "error"), cases("errors"))
async def test_a_malformed_request_gets_the_documented_code(poster: Poster, path: str, error: dict[str, Any]) -> None:
    """The fake refuses what is not as documented: HTTP 200, the code in the body, and nobody sees anything."""
    reply = await poster.post(body_of(error), path=path)
    envelope = reply.json()
    assert (200, "FAIL", error["code"]) == (reply.status_code, envelope["ActionStatus"], envelope["ErrorCode"])
    assert envelope["ErrorInfo"]
    assert [] == poster.desk.messages


@pytest.mark.parametrize("sample", named(read("send_msg")["samples"]))
async def test_what_users_see_is_what_was_sent(desk: FakeDesk, sample: dict[str, Any]) -> None:
    """The ledger decodes each documented message, and loses nothing of it."""
    sent = sample["request"]
    async with in_memory(desk) as poster:
        await poster.post(sent)
    (seen,) = desk.messages
    assert (sent.get("SessionId"), sent.get("ToAccount")) == (seen.session_id, seen.to_account)
    assert (sent.get("FromAccount"), sent["MsgRandom"]) == (seen.from_account, seen.msg_random)
    assert sent.get("CloudCustomData") == seen.cloud_custom_data
    assert sent.get("ExcludeFromUserRespTimeout") == seen.exclude_from_user_resp_timeout
    assert sent["MsgBody"] == dump_body(seen.elements)


@pytest.mark.parametrize("sample", named(URL["samples"]))
async def test_documented_parameters_are_taken(poster: Poster, sample: dict[str, Any]) -> None:
    """The URL may have any value that the page allows."""
    assert 0 == await poster.code(message(), sample["query"])


@pytest.mark.parametrize("error", named(URL["errors"]))
async def test_wrong_parameters_get_the_documented_code(poster: Poster, error: dict[str, Any]) -> None:
    """Each parameter of the URL is checked, in the spelling of the page."""
    assert error["code"] == await poster.code(message(), error["query"])


@pytest.mark.parametrize("vector", USERSIG["samples"], ids=lambda vector: str(vector["identifier"]))
@pytest.mark.parametrize(("later", "code"), [(0, 0), (-1, 0), (None, 70001)], ids=["at once", "last second", "expired"])
async def test_usersigs_of_the_reference_code_are_taken_until_they_expire(
    vector: dict[str, Any], later: int | None, code: int
) -> None:
    """A UserSig of Tencent's own code passes from its first to its last second."""
    clock = Clock(vector["time"] + (0 if later == 0 else vector["expire"] + (later or 0)))
    desk = FakeDesk(USERSIG["sdkappid"], USERSIG["key"], vector["identifier"], clock=clock)
    changes = {"identifier": vector["identifier"], "usersig": vector.get("usersig") or pack(_claims(vector))}
    async with in_memory(desk) as poster:
        assert code == await poster.code(message(), changes)


def _claims(vector: dict[str, Any]) -> dict[str, Any]:
    claims = {f"TLS.{name}": vector[name] for name in ("identifier", "time", "expire", "sig")}
    return {"TLS.ver": "2.0", "TLS.sdkappid": USERSIG["sdkappid"], **claims}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"TLS.sdkappid": 1400000001}, 70014),
        ({"TLS.identifier": "user45"}, 70013),
        ({"TLS.sig": "1Z5PngDjGaufeSiPoBuxdHY7EK3JTdAjMP93S4KvV3N="}, 70009),
        ({"TLS.sig": "你好"}, 70009),
        ({"TLS.expire": 15552001}, 70009),
        ({"TLS.userbuf": "aGVsbG8="}, 70009),
        ({"TLS.time": "1600000000"}, 70003),
        ({"TLS.sig": None}, 70003),
        ({"TLS.filling": "x" * 70_000}, 70003),
    ],
    ids=str,
)
async def test_a_usersig_that_was_tampered_with_is_refused(change: dict[str, Any], code: int) -> None:
    """What the UserSig claims must agree with the URL and with its own signature."""
    vector = USERSIG["samples"][0]
    desk = FakeDesk(USERSIG["sdkappid"], USERSIG["key"], "xiaojun", clock=Clock(vector["time"]))
    async with in_memory(desk) as poster:
        usersig = pack(_claims(vector) | change)
        assert code == await poster.code(message(), {"identifier": "xiaojun", "usersig": usersig})
