from __future__ import annotations

import copy
import hashlib
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deskim import TextElem, callbacks
from deskim._codec import dump_value
from deskim.callbacks import (
    MAX_BODY,
    CallbackError,
    Event,
    Fault,
    InterfaceInvocation,
    SeenRequests,
    SessionEvent,
    UnknownCallback,
    parse,
)
from deskim.errors import MessageError

FILE = json.loads(Path(__file__).with_name("samples.json").read_text(encoding="utf-8"))
SAMPLES = [pytest.param(sample, id=sample["name"]) for sample in FILE["samples"]]
APP = 1400000000
QUERY = {"SdkAppid": str(APP), "CallbackCommand": "Desk.SessionEventNotify", "RequestID": "r-1", "contenttype": "json"}
NOW = 1730443136.0


def body(**fields: Any) -> bytes:
    """Return the body of a user's message, with other fields."""
    return json.dumps({**FILE["samples"][1]["body"], **fields}).encode()


def fault_of(raw: bytes, query: dict[str, Any], **settings: Any) -> Fault:
    """Return what is wrong with a request."""
    with pytest.raises(CallbackError) as caught:
        parse(raw, query, sdk_app_id=APP, **settings)
    return caught.value.fault


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_documented_callback_gives_its_event(sample: dict[str, Any]) -> None:
    """Each callback of Tencent's pages parses into its class, with nothing left over and nothing lost."""
    callback = parse(json.dumps(sample["body"]).encode(), QUERY, sdk_app_id=APP)
    assert (sample["class"], {}, "r-1") == (type(callback).__name__, callback.extra, callback.request_id)
    assert sample["body"].items() <= dump_value(callback).items()


def test_an_event_tells_what_it_is_about() -> None:
    """The message of a user has its time, its elements, its text and its session."""
    event = parse(body(), QUERY, sdk_app_id=APP)
    assert isinstance(event, SessionEvent)
    assert Event.USER_MESSAGE is event.event
    assert datetime(2024, 11, 1, 6, 38, 56, 123000, tzinfo=UTC) == event.event_time
    assert ((TextElem("Where is my parcel?"),), "Where is my parcel?") == (event.msg_body, event.text)
    assert event.payload is None


def test_a_user_who_opens_the_chat_is_recognised() -> None:
    """The signal for a new conversation is the payload with src 7."""
    event = parse(json.dumps(FILE["samples"][2]["body"]).encode(), QUERY, sdk_app_id=APP)
    assert isinstance(event, SessionEvent)
    assert {"customerServicePlugin": 0, "src": "7"} == event.payload


def test_a_task_flow_tells_its_session_and_its_user() -> None:
    """The system variables of an API node are at hand, and empty where the node does not send them."""
    call = parse(json.dumps(FILE["samples"][7]["body"]).encode(), QUERY, sdk_app_id=APP)
    assert isinstance(call, InterfaceInvocation)
    assert ("fd8a2e30-54de-4e40-bcaf-02718409c5cf", "user45") == (call.session_id, call.client_user_id)
    assert ("", "") == ((bare := InterfaceInvocation(body={"SystemSessionID": 7})).session_id, bare.client_user_id)


def test_what_is_not_as_documented_is_kept() -> None:
    """Unknown fields and odd values stand in extra; the event is an event all the same."""
    event = parse(body(New=[1], MsgBody="text", Event="Session.Rated"), QUERY, sdk_app_id=APP)
    assert isinstance(event, SessionEvent)
    assert ("Session.Rated", {"New": [1], "MsgBody": "text"}) == (event.event, event.extra)


def test_variables_that_are_no_object_are_kept() -> None:
    """An API node whose Body is no object has no variables, and keeps what came."""
    call = parse(b'{"CallbackCommand": "Chatbot.InterfaceInvocation", "Body": "x"}', QUERY, sdk_app_id=APP)
    assert isinstance(call, InterfaceInvocation)
    assert ({}, {"Body": "x"}) == (call.body, call.extra)


@pytest.mark.parametrize("kind", [None, 7, "Desk.SomethingNew"])
def test_a_kind_that_deskim_does_not_know_is_a_callback(kind: Any) -> None:
    """A callback of another kind has its fields in extra."""
    callback = parse(json.dumps({"CallbackCommand": kind, "New": {"a": 1}}).encode(), QUERY, sdk_app_id=APP)
    assert isinstance(callback, UnknownCallback)
    assert {"a": 1} == callback.extra["New"]


def test_the_url_names_the_kind_where_the_body_does_not() -> None:
    """Without a CallbackCommand in the body, that of the URL counts."""
    fields = {k: v for k, v in FILE["samples"][0]["body"].items() if k != "CallbackCommand"}
    assert isinstance(parse(json.dumps(fields).encode(), QUERY, sdk_app_id=APP), SessionEvent)


@pytest.mark.parametrize(
    "query", [{}, {"SdkAppid": ""}, {"SdkAppid": "1400000001"}, {"sdkappid": str(APP)}, {"SdkAppid": APP}]
)
def test_another_application_is_turned_away(query: dict[str, Any]) -> None:
    """A URL without our SdkAppid, spelt as Tencent spells it, is foreign."""
    assert Fault.FOREIGN == fault_of(body(), query)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 10_000,
        b'{"CallbackCommand":"Desk.SessionEventNotify"}',
        b'{"a":NaN}',
        body(SessionId=None),
        body(Event=7),
    ],
)
def test_what_is_no_callback_is_malformed(raw: bytes) -> None:
    """A body that is no JSON object, or an event without its session, is malformed."""
    assert Fault.MALFORMED == fault_of(raw, QUERY)


def test_a_huge_body_is_refused_unread() -> None:
    """More than MAX_BODY bytes are not even parsed; that many are."""
    assert Fault.TOO_LARGE == fault_of(b" " * (MAX_BODY + 1), QUERY)
    assert Fault.MALFORMED == fault_of(b" " * MAX_BODY, QUERY)


@pytest.mark.parametrize("raw", [{}, "{}", None])
def test_a_parsed_body_is_refused_with_advice(raw: Any) -> None:
    """Frameworks hand out parsed JSON; the error says that the bytes are wanted."""
    with pytest.raises(TypeError, match="as it came, in bytes"):
        parse(raw, QUERY, sdk_app_id=APP)


@pytest.mark.parametrize("query", [None, "SdkAppid=1400000000", [("SdkAppid", "1400000000")]])
def test_a_query_that_is_no_mapping_is_refused(query: Any) -> None:
    """The error says what the query is to be."""
    with pytest.raises(TypeError, match="query must be the parameters of the URL, a mapping, not "):
        parse(b"{}", query, sdk_app_id=APP)


def signed(token: str, requested: str) -> dict[str, str]:
    """Return the parameters of a signed URL."""
    return {**QUERY, "RequestTime": requested, "Sign": hashlib.sha256((token + requested).encode()).hexdigest()}


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_good_signature_passes(age: int) -> None:
    """The digest of token and time, within the window, is genuine; in capitals, too."""
    query = signed("token", str(int(NOW) - age))
    query["Sign"] = query["Sign"].upper()
    assert isinstance(parse(body(), query, sdk_app_id=APP, token="token", clock=lambda: NOW), SessionEvent)


@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        signed("tokem", str(int(NOW))),
        {**signed("token", str(int(NOW))), "RequestTime": str(int(NOW) + 1)},
        {**signed("token", str(int(NOW))), "Sign": "\ud800"},
        signed("token", str(int(NOW) - 301)),
        signed("token", str(int(NOW) + 301)),
        signed("token", "soon"),
        signed("token", "-5"),
        signed("token", "9" * 5000),
        signed("token", ""),
    ],
)
def test_a_forged_or_stale_signature_is_refused(query: dict[str, str]) -> None:
    """Anything but a fresh signature of ours is forged."""
    assert Fault.FORGED == fault_of(body(), query, token="token", clock=lambda: NOW)


def test_without_a_token_nothing_is_verified() -> None:
    """A signature that nobody can check does not matter."""
    assert isinstance(parse(body(), {**QUERY, "Sign": "x"}, sdk_app_id=APP), SessionEvent)


@given(
    st.binary() | st.text().map(str.encode),
    st.dictionaries(st.sampled_from([*QUERY, "Sign", "RequestTime"]), st.text()),
)
@example(b'{"CallbackCommand": "Desk.SessionEventNotify", "SessionId": "\\ud800", "Event": ""}', QUERY)
@example(b'{"a":' * 100 + b"1" + b"}" * 100, QUERY)
def test_any_bytes_give_a_callback_or_a_callback_error(raw: bytes, query: dict[str, str]) -> None:
    """Whatever arrives, parse returns a callback or raises CallbackError, which holds nothing of it."""
    for settings in ({}, {"token": "t"}):
        try:
            assert isinstance(
                parse(raw, {**query, "SdkAppid": str(APP)}, sdk_app_id=APP, **settings), callbacks.Callback
            )
        except CallbackError as error:
            assert (None, None) == (error.__cause__, error.__context__)  # noqa: PT017


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(["MsgBody", "EventTime", "AgentId", "IsContactUser", "SatisfactionSelected", "New"]),
        json_values,
    )
)
def test_an_event_loads_whatever_its_optional_fields_hold(fields: dict[str, Any]) -> None:
    """An event with a session and a name is never lost to an odd field beside them; null counts as missing."""
    event = parse(body(**fields), QUERY, sdk_app_id=APP)
    lost = [n for n, v in fields.items() if v is not None and n not in event.extra and n not in dump_value(event)]
    assert ("SessionEvent", []) == (type(event).__name__, lost)


def test_the_faults_have_their_http_statuses() -> None:
    """Each fault has a status that tells the sender what is wrong."""
    found = {fault: CallbackError("", fault).status for fault in Fault}
    assert {Fault.TOO_LARGE: 413, Fault.MALFORMED: 400, Fault.FOREIGN: 403, Fault.FORGED: 403} == found


def test_the_error_survives_pickle_and_copy() -> None:
    """A CallbackError keeps its text, its fault and its status."""
    error = CallbackError("no", Fault.FORGED)
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert ("no", Fault.FORGED, 403) == (str(same), same.fault, same.status)


REPLIES: list[tuple[str, Callable[[], bytes]]] = [
    ("acknowledge", callbacks.acknowledge),
    ("assign to agents", lambda: callbacks.assign("test_agent@qq.com")),
    ("assign to a group", lambda: callbacks.assign(agent_group_id=3067)),
    ("answer", lambda: callbacks.answer({"state": "on its way"})),
]


@pytest.mark.parametrize(("name", "make"), REPLIES, ids=[name for name, _ in REPLIES])
def test_a_reply_is_what_the_page_wants(name: str, make: Callable[[], bytes]) -> None:
    """Each answer has the fields of its page."""
    assert FILE["replies"][name] == json.loads(make())


def test_declining_says_so() -> None:
    """The answer that refuses has an ErrorCode and tells why."""
    assert {"ActionStatus": "FAIL", "ErrorInfo": "full", "ErrorCode": 1} == json.loads(callbacks.decline("full"))


def test_an_assignment_names_somebody() -> None:
    """An answer without agent and group is refused here, not by Desk."""
    with pytest.raises(MessageError, match="at least one agent"):
        callbacks.assign()


@pytest.mark.parametrize("wrong", [{"agent_ids": [["a", "b"]]}, {"agent_ids": [""]}, {"agent_group_id": "3067"}])
def test_an_assignment_takes_ids(wrong: dict[str, Any]) -> None:
    """A list in the place of an id, an empty id and a group as text are refused, not sent."""
    with pytest.raises(MessageError, match="not"):
        callbacks.assign(*wrong.get("agent_ids", ()), agent_group_id=wrong.get("agent_group_id"))


def test_an_answer_is_json() -> None:
    """Values that JSON cannot say are refused."""
    with pytest.raises(MessageError):
        callbacks.answer({"now": datetime.now(UTC)})


def delivery(request_id: str) -> UnknownCallback:
    """Return a delivery with this id."""
    return UnknownCallback(request_id=request_id)


def test_a_repeated_delivery_is_recognised() -> None:
    """The second delivery of a RequestID repeats the first; one without an id never does."""
    seen = SeenRequests()
    assert [False, True, False, False, False] == [seen.repeats(delivery(i)) for i in ("a", "a", "b", "", "")]


def test_the_memory_of_deliveries_is_bounded() -> None:
    """Only the last few ids are remembered; a repetition counts as fresh."""
    seen = SeenRequests(capacity=2)
    assert [False, False, True, False, True, False] == [seen.repeats(delivery(i)) for i in "abacab"]


def test_a_delivery_can_be_forgotten() -> None:
    """Whoever could not handle a delivery takes its repetition."""
    seen = SeenRequests()
    first = seen.repeats(delivery("a"))
    seen.forget([delivery("a"), delivery("b")])
    assert (False, False) == (first, seen.repeats(delivery("a")))


def test_a_memory_of_nothing_is_refused() -> None:
    """A capacity under one makes no sense."""
    with pytest.raises(MessageError, match="at least 1"):
        SeenRequests(0)
