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


def test_a_body_left_out_is_told_of_where_desk_misses_it(deskim: Deskim, desk: FakeDesk) -> None:
    """A refusal that a body would mend says so; with a body it does not."""
    left_out = "BODY was left out, and so an empty one was sent"
    without, given = deskim("call", "get_session_state"), deskim("call", "get_session_state", "{}")
    assert (1, 1) == (without.code, given.code)
    assert without.err.startswith(left_out)
    assert left_out not in given.err
    assert 2 == len(desk.requests)


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (["/v4/openim/querystate"], "/v4/openim/querystate"),
        (["v4/openim/querystate", "--service", "openim"], "/v4/openim/querystate"),
        (["openim/querystate"], "/v4/openim/querystate"),
        (["/end_session"], "/v4/desk_http_svc/end_session"),
    ],
)
def test_a_path_may_be_whole(deskim: Deskim, desk: FakeDesk, argv: list[str], path: str) -> None:
    """As Tencent's pages write it, or without the parts that are always the same."""
    assert 1 == deskim("call", *argv).code
    assert [path] == [request.path for request in desk.requests]


def test_a_repeatable_call_is_made_again(deskim: Deskim, desk: FakeDesk) -> None:
    """A lost reply ends an ordinary call, and not one that may be repeated."""
    desk.drop_replies()
    assert 1 == deskim("call", "send_msg", json.dumps(BODY)).code
    desk.drop_replies()
    assert 0 == deskim("call", "send_msg", "-", "--repeatable", stdin=json.dumps(BODY).encode()).code


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["openim/querystate", "--service", "profile"], "names another service than --service profile"),
        (["v4/a/b/c"], "'v4/a/b/c' is no path of a call: write v4/SERVICE/COMMAND, or the command alone"),
        (["https://console.tim.qq.com/v4/openim/querystate"], "is no path of a call"),
        (["openim/query state"], "RawCommand.path must be one part of the path"),
        (["p", "[]"], "must be a JSON object"),
        (["p", "{"], "the argument is not JSON"),
        ([], "PATH needs a value"),
    ],
)
def test_a_call_that_cannot_be_made(deskim: Deskim, desk: FakeDesk, argv: list[str], reason: str) -> None:
    """Exit code 2, and nothing is sent."""
    done = deskim("call", *argv)
    assert 2 == done.code
    assert reason in done.err
    assert [] == desk.requests
