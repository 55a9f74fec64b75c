from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim import Card, RawElem, TextElem, commands
from deskim._codec import Milliseconds, OpenValue, Seconds, dump_value, load_value
from deskim.callbacks import InterfaceInvocation
from deskim.commands import (
    ChatMessage,
    ChatMessages,
    CurrentState,
    DescribeChatMessages,
    DescribeImCdrList,
    GetSessionState,
    Order,
    Role,
    SessionRecord,
    SessionRecords,
    SessionState,
    TransferToHuman,
)
from deskim.errors import MessageError

NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)
ids = st.text(min_size=1)
flags = st.none() | st.booleans()
whole = st.none() | st.integers(0, 2**31)
seconds = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=0))
millis = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
VALUES: dict[type, st.SearchStrategy[Any]] = {
    TransferToHuman: st.builds(
        TransferToHuman,
        session_id=ids,
        agent_id_list=st.none() | st.lists(ids),
        agent_group_id=whole,
        send_tip_if_no_agent_online=flags,
        disable_queuing=flags,
        priority=st.none() | st.integers(0, 9),
        queue_timeout=whole,
    ),
    SessionState: st.builds(SessionState, current_state=st.text().map(CurrentState), session_id=st.text()),
    SessionRecord: st.builds(SessionRecord, session_id=st.text(), duration=whole, timestamp=st.none() | seconds),
    SessionRecords: st.builds(
        SessionRecords,
        total_count=whole,
        im_cdr_list=st.lists(st.builds(SessionRecord, session_id=st.text(), timestamp=seconds)).map(tuple),
    ),
    ChatMessages: st.builds(
        ChatMessages,
        messages=st.lists(
            st.builds(
                ChatMessage,
                from_account_role=st.none() | st.integers(-5, 5).map(Role),
                msg_body=st.lists(st.builds(TextElem, st.text())).map(tuple),
                timestamp=millis,
            )
        ).map(tuple),
    ),
    DescribeChatMessages: st.builds(
        DescribeChatMessages, session_id=ids, limit=st.none() | st.integers(1, 100), order=st.none() | st.integers(1, 9)
    ),
}


@pytest.mark.parametrize("cls", VALUES)
@given(data=st.data())
def test_what_is_written_is_read_back(cls: Any, data: st.DataObject) -> None:
    """Commands and replies survive the way to the wire and back."""
    value = data.draw(VALUES[cls])
    assert value == load_value(cls, dump_value(value))


@given(
    st.dictionaries(
        st.sampled_from(["SessionId", "AgentId", "Duration", "Timestamp", "New"]), st.integers() | st.text()
    )
)
def test_a_record_loads_whatever_its_optional_fields_hold(wire: dict[str, Any]) -> None:
    """A field that is not as documented leaves its default behind and stands in extra; nothing is lost."""
    wire["SessionId"] = "s"
    record = load_value(SessionRecord, wire)
    assert wire == {name: value for name, value in {**dump_value(record), **record.extra}.items() if name in wire}


def test_null_counts_as_missing() -> None:
    """Null instead of a list or a text gives the default."""
    assert SessionRecords(total_count=0) == load_value(SessionRecords, {"TotalCount": 0, "IMCdrList": None})


@pytest.mark.parametrize("wire", [{}, {"CurrentState": None}, {"CurrentState": 7}, [], "text"])
def test_a_reply_without_what_it_is_for_does_not_load(wire: Any) -> None:
    """A state without its state is no state."""
    with pytest.raises((TypeError, KeyError, ValueError)):
        load_value(SessionState, wire)


@pytest.mark.parametrize("timestamp", [10**18, -(10**18), True, "now", 1.5])
def test_a_time_that_is_none_goes_to_extra(timestamp: Any) -> None:
    """A timestamp that no calendar knows is kept as it came."""
    record = load_value(SessionRecord, {"SessionId": "s", "Timestamp": timestamp})
    assert (None, {"Timestamp": timestamp}) == (record.timestamp, record.extra)


@pytest.mark.parametrize("flag", [2, "1", None])
def test_a_flag_is_zero_or_one(flag: Any) -> None:
    """Anything but 0, 1, false and true leaves the default."""
    assert load_value(commands.Transfer, {"IsInQueue": flag}).is_in_queue is False


def test_a_body_that_is_no_array_goes_to_extra() -> None:
    """A message keeps what it cannot read."""
    assert {"MsgBody": "text"} == load_value(ChatMessage, {"MsgBody": "text"}).extra


def test_an_object_is_wanted_where_one_stands() -> None:
    """A list of records holds objects; one that does not is kept as it came."""
    assert {"IMCdrList": ["s"]} == load_value(SessionRecords, {"IMCdrList": ["s"]}).extra


def test_seconds_and_milliseconds_are_told_apart() -> None:
    """Session records count in seconds, messages in milliseconds; both give the same moment."""
    in_seconds = load_value(SessionRecord, {"SessionId": "s", "Timestamp": 1730462400}).timestamp
    in_millis = load_value(ChatMessage, {"Timestamp": 1730462400000}).timestamp
    assert (NOON, NOON) == (in_seconds, in_millis)


def test_a_time_of_any_zone_is_written_in_unix_seconds() -> None:
    """The zone of a datetime does not change the moment."""
    here = NOON.astimezone(timezone(timedelta(hours=8)))
    assert 1730462400 == dump_value(DescribeImCdrList(start_timestamp=here, end_timestamp=here))["StartTimestamp"]


def test_unknown_values_of_an_enumeration_pass() -> None:
    """A state or a role of tomorrow is a value, equal to what is on the wire, and survives pickle and copy."""
    state, role = CurrentState("Voicemail"), Role(9)
    assert ("Voicemail", "Voicemail", 9, 9) == (state, state.value, role, role.value)
    assert ([state, role], [state, role]) == (pickle.loads(pickle.dumps([state, role])), copy.deepcopy([state, role]))  # noqa: S301
    assert isinstance(state, CurrentState)
    assert hash("Voicemail") == hash(state)


@pytest.mark.parametrize(("cls", "value"), [(CurrentState, 7), (Role, "agent")])
def test_an_enumeration_takes_values_of_its_type(cls: Any, value: Any) -> None:
    """A number is no state, and a text no role."""
    with pytest.raises(ValueError, match="is not a valid"):
        cls(value)


REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("session_id must be text of at least one character", lambda: commands.EndSession(session_id="")),
    ("agent_id_list must be text", lambda: TransferToHuman(session_id="s", agent_id_list=[""])),
    ("a list of texts", lambda: TransferToHuman(session_id="s", agent_id_list="test_agent@qq.com")),  # type: ignore[arg-type]
    ("priority must be a whole number from 0 to 9", lambda: TransferToHuman(session_id="s", priority=10)),
    ("True or False", lambda: TransferToHuman(session_id="s", disable_queuing=1)),  # type: ignore[arg-type]
    ("limit must be a whole number from 1 to 100", lambda: DescribeChatMessages(session_id="s", limit=101)),
    ("order must be an Order", lambda: DescribeChatMessages(session_id="s", order="asc")),  # type: ignore[arg-type]
    ("with a time zone", lambda: DescribeImCdrList(start_timestamp=datetime(2024, 11, 1), end_timestamp=NOON)),  # noqa: DTZ001
    ("a datetime with a time zone", lambda: DescribeImCdrList(start_timestamp=1730390400, end_timestamp=NOON)),  # type: ignore[arg-type]
    ("before", lambda: DescribeImCdrList(start_timestamp=NOON, end_timestamp=NOON - timedelta(1))),
    ("ask either by session_id, or", GetSessionState),
    ("ask either by", lambda: GetSessionState(session_id="s", client_user_id="u")),
    ("or by client_user_id and", lambda: GetSessionState(client_user_id="u")),
    ("one TIMStreamElem", lambda: commands.SendStreamMsgV2(session_id="s", msg_body=(TextElem("hi"),))),
    ("JSON cannot say", lambda: commands.RawCommand("desk_http_svc", "x", {"a": object()})),
    ("repeatable must be True or False", lambda: commands.RawCommand("openim", "x", repeatable="no")),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("text", "make"), REFUSED)
def test_what_desk_would_refuse_is_refused_before(text: str, make: Callable[[], object]) -> None:
    """A command with a field that cannot work names the field and what it takes."""
    with pytest.raises(MessageError, match=text):
        make()


@pytest.mark.parametrize("part", ["service", "path"])
@pytest.mark.parametrize("value", ["", "/v4/openim/querystate", "openim/x", "x?usersig=y", "a b", "..", "名", None, 7])
def test_a_raw_command_names_one_part_of_the_path_each(part: str, value: Any) -> None:
    """A whole path, or what no path has, would make a call that nobody meant."""
    with pytest.raises(MessageError, match=f"RawCommand.{part} must be one part of the path v4/SERVICE/PATH"):
        commands.RawCommand(**{"service": "openim", "path": "querystate", part: value})


def test_a_message_of_the_history_tells_its_text_and_its_payload() -> None:
    """The elements of a message are decoded, and its text and its card are at hand."""
    body = [
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": "look"}},
        {
            "MsgType": "TIMCustomElem",
            "MsgContent": {"Data": '{"src":"22","customerServicePlugin":0,"content":{"header":"h"}}'},
        },
    ]
    message = load_value(ChatMessage, {"MsgBody": body})
    assert ("look", Card(header="h")) == (message.text, message.payload)


def test_a_piece_of_markdown_is_a_stream_element() -> None:
    """The element of the second version of streams is built as its page shows it."""
    chunk = {"EventType": "data", "Index": 1, "Markdown": "*hi*", "IsLast": True}
    expected = RawElem("TIMStreamElem", {"CompatibleText": "hi", "Chunks": [chunk]})
    assert expected == commands.stream_elem(1, "*hi*", is_last=True, compatible_text="hi")


def test_the_kinds_of_times_read_well_in_the_documentation() -> None:
    """The annotation of a time says what is on the wire."""
    assert ("Unix seconds", "Unix milliseconds") == (Seconds.__metadata__[0], Milliseconds.__metadata__[0])  # type: ignore[attr-defined]


def test_extra_is_sent_along() -> None:
    """What deskim does not know of a value is written again."""
    assert {"New": 1} == dump_value(load_value(commands.Reply, {"New": 1}))
    assert OpenValue(extra={"New": 1}) == load_value(OpenValue, {"New": 1})


def test_an_order_may_be_given_by_its_number() -> None:
    """The numbers of the page work, too."""
    by_name, by_number = (DescribeChatMessages(session_id="s", order=order) for order in (Order.OLDEST_FIRST, 1))  # type: ignore[arg-type]
    assert by_name == by_number


def test_a_page_calls_its_list_items() -> None:
    """Both kinds of pages name what they list in the same way, for those who page."""
    record, message = SessionRecord(session_id="s"), ChatMessage(from_account="user45")
    assert (record,) == SessionRecords(im_cdr_list=(record,)).items
    assert (message,) == ChatMessages(messages=(message,)).items


def test_a_question_may_be_asked_for_another_page() -> None:
    """The window and the user of a question stay, whatever page is asked for."""
    question = DescribeImCdrList(start_timestamp=NOON, end_timestamp=NOON, client_user_id="user45")
    assert (10, 5, "user45") == ((page := question.at(10, 5)).offset, page.limit, page.client_user_id)


@pytest.mark.parametrize("body", [[], "text", 7])
def test_a_body_that_is_no_object_goes_to_extra(body: Any) -> None:
    """The invocation of a task's node keeps what it cannot read."""
    assert {"Body": body} == load_value(InterfaceInvocation, {"Body": body}).extra
