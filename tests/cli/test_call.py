from __future__ import annotations

import json

import pytest

from deskim.testing import FakeDesk

from .conftest import Deskim

BODY = {"SessionId": "s", "MsgRandom": 1, "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}]}


def test_any_call_prints_its_reply(deskim: Deskim, desk: FakeDesk) -> None:
    """The path and the body go out as they stand, and the reply comes back as one line of JSON."""
    done = deskim("call", "send_msg", json.dumps(BODY))
    assert (0, "") == (done.code, done.err)
    assert {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0} == json.loads(done.out)
    assert ["hi"] == [message.text for message in desk.messages]


def test_the_service_and_an_empty_body(deskim: Deskim, desk: FakeDesk) -> None:
    """Without a body `{}` is sent; `--service` names another service; a refusal is exit code 1."""
    done = deskim("call", "querystate", "--service", "openim")
    assert (1, "") == (done.code, done.out)
    assert "error: Desk answered with code 60009" in done.err
    assert [("/v4/openim/querystate", b"{}")] == [(request.path, request.body) for request in desk.requests]


def test_a_repeatable_call_is_made_again(deskim: Deskim, desk: FakeDesk) -> None:
    """A lost reply ends an ordinary call, and not one that may be repeated."""
    desk.drop_replies()
    assert 1 == deskim("call", "send_msg", json.dumps(BODY)).code
    desk.drop_replies()
    assert 0 == deskim("call", "send_msg", "-", "--repeatable", stdin=json.dumps(BODY).encode()).code


@pytest.mark.parametrize(
    ("argv", "reason"),
    [(["p", "[]"], "must be a JSON object"), (["p", "{"], "the argument is not JSON"), ([], "requires an argument")],
)
def test_a_call_that_cannot_be_made(deskim: Deskim, desk: FakeDesk, argv: list[str], reason: str) -> None:
    """Exit code 2, and nothing is sent."""
    done = deskim("call", *argv)
    assert 2 == done.code
    assert reason in done.err
    assert [] == desk.requests
