"""Replies and callbacks to values: what fits, what does not, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from attrs import field, frozen, make_class

from deskim._codec import Flag, JsonObject, Milliseconds, MsgBody, Seconds, load_value
from deskim.callbacks import InterfaceInvocation
from deskim.commands import ChatMessage, CurrentState, Role, SessionRecord

NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)
TEXT = {"MsgType": "TIMTextElem", "MsgContent": {"Text": "look"}}


def test_one_field_that_does_not_fit_spoils_no_other() -> None:
    """What is as documented loads, whatever stands beside it."""
    wire = {"SessionId": "s", "AgentId": "a", "Duration": "long", "Timestamp": 1730462400, "New": 1}
    expected = SessionRecord(session_id="s", agent_id="a", timestamp=NOON, extra={"Duration": "long", "New": 1})
    assert expected == load_value(SessionRecord, wire)


@frozen
class _Own:
    """A reply of a caller's own."""

    spellings: ClassVar[dict[str, str]] = {"user_id": "UserID"}

    user_id: str
    number: int = 0
    text: str = ""
    extra: dict[str, Any] = field(factory=dict)


def test_a_reply_of_ones_own_may_spell_what_it_needs() -> None:
    """A required field of a spelling of its own is found where some fields fit and others do not."""
    expected = _Own("u", 0, "t", {"Number": "x"})
    assert expected == load_value(_Own, {"UserID": "u", "Number": "x", "Text": "t"})


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (str, 7, "str expected, not int"),
        (int, True, "int expected, not bool"),
        (float, "1", "float expected, not str"),
        (tuple[str, ...], {}, "list expected, not dict"),
        (CurrentState, 7, "str expected"),
        (Role, "1", "int expected"),
        (SessionRecord, [], "an object expected"),
        (JsonObject, [], "an object expected"),
        (MsgBody, {}, "an array expected"),
        (Flag, "1", "0 or 1 expected"),
        (Seconds, "now", "a whole number expected"),
        (Milliseconds, 10**30, "no time within the years 1 to 9999"),
    ],
    ids=str,
)
def test_a_reply_that_does_not_fit_says_what_was_expected(kind: Any, value: Any, text: str) -> None:
    """The reason names what the field takes; the caller reads it in the error of the call."""
    cls = make_class("Reply", {"found": field(type=kind)}, frozen=True)
    with pytest.raises((TypeError, ValueError), match=f"^{text}$"):
        load_value(cls, {"Found": value})
    with pytest.raises(TypeError, match="an object expected"):
        load_value(cls, [])  # type: ignore[arg-type]


def test_an_object_of_the_callers_own_is_read_as_it_is() -> None:
    """What a task's node sends is Desk's JSON, untouched."""
    assert {"a": [1]} == load_value(InterfaceInvocation, {"Body": {"a": [1]}}).body


def test_a_message_tells_its_texts_line_by_line() -> None:
    """Several text elements are several lines; without a custom element there is no payload."""
    message = load_value(ChatMessage, {"MsgBody": [TEXT, TEXT]})
    assert ("look\nlook", None) == (message.text, message.payload)
