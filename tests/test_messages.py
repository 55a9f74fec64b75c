"""Messages as values, and the numbers they are stamped with."""

from __future__ import annotations

import copy
import os
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim._elements import CustomElem, Elem, RawElem, TextElem
from deskim._messages import _MASK, _STRIDE, Message, MsgRandomSource, Outcome, SendResult, as_element
from deskim.errors import Delivery, MessageError
from deskim.payloads import Card, Payload, RichText
from tests.support.values import elements, json_values, payloads, plain_elements, texts

some_text = texts.filter(bool)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message: each kind of element, at most one of them custom, and every field."""
    parts: list[Elem | Payload] = draw(st.lists(plain_elements, max_size=3))
    parts += draw(st.lists(elements | payloads, min_size=0 if parts else 1, max_size=1))
    settings = {
        "cloud_custom_data": draw(st.none() | texts),
        "exclude_from_user_resp_timeout": draw(st.none() | st.booleans()),
        "msg_random": draw(st.none() | st.integers(0, _MASK)),
        "key": draw(st.none() | some_text),
    }
    if draw(st.booleans()):
        return Message.to_session(draw(some_text), *parts, **settings)
    return Message.to_user(draw(some_text), *parts, from_account=draw(st.none() | some_text), **settings)


@given(messages())
def test_every_message_survives_its_dict_form(message: Message) -> None:
    """What to_dict gives, from_dict reads back, whatever the elements."""
    assert message == Message.from_dict(message.to_dict())


@given(messages())
def test_every_message_survives_pickle_and_copy(message: Message) -> None:
    """Messages travel to other processes."""
    assert message == pickle.loads(pickle.dumps(message))  # noqa: S301 - our own
    assert message == copy.deepcopy(message)
    assert hash(message) == hash(copy.copy(message))


@given(messages())
def test_again_changes_the_number_alone(message: Message) -> None:
    """For Desk it is another message, for the reader the same."""
    second = message.again()
    assert message.msg_random != second.msg_random
    assert {**message.to_dict(), "MsgRandom": 0} == {**second.to_dict(), "MsgRandom": 0}


@given(
    json_values
    | st.dictionaries(st.sampled_from(["SessionId", "ToAccount", "MsgBody", "MsgRandom", "Key"]), json_values)
)
def test_any_json_gives_a_message_or_a_clear_error(wire: Any) -> None:
    """Whatever a file holds, reading it raises nothing but MessageError."""
    try:
        message = Message.from_dict(wire)
    except MessageError as error:
        assert str(error).encode()  # noqa: PT017 - either is fine
    else:
        assert message == Message.from_dict(message.to_dict())


BODY = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}]
BAD: list[tuple[Any, str]] = [
    (None, "a message is an object with MsgBody and SessionId or ToAccount, not None"),
    ([], "a message is an object with MsgBody and SessionId or ToAccount, not []"),
    ({}, "MsgBody must be a list of elements, not None"),
    ({"MsgBody": "hi"}, "MsgBody must be a list of elements, not 'hi'"),
    ({"MsgBody": {}}, "MsgBody must be a list of elements, not {}"),
    ({"MsgBody": [], "SessionId": "s"}, "the message is empty: give at least one element, e.g. a text"),
    ({"MsgBody": ["hi"], "SessionId": "s"}, "MsgBody[0] is no element, an object of MsgType and MsgContent: 'hi'"),
    ({"MsgBody": [*BODY, {"MsgType": "TIMTextElem"}], "SessionId": "s"}, "MsgBody[1] is no element"),
    ({"MsgBody": [{"MsgType": "N", "MsgContent": {1}}], "SessionId": "s"}, "MsgBody[0].MsgContent is of type set"),
    (
        {"MsgBody": [{"MsgType": "N", "MsgContent": float("nan")}]},
        "MsgBody[0].MsgContent is nan, which JSON cannot say",
    ),
    ({"MsgBody": BODY}, "a message goes either to a session (session_id) or to a user (to_account)"),
    ({"MsgBody": BODY, "SessionId": "s", "ToAccount": "u"}, "a message goes either to a session"),
    ({"MsgBody": BODY, "SessionId": "s", "FromAccount": "@a"}, "from_account is for messages to a user"),
    ({"MsgBody": BODY, "SessionId": ""}, "Message.session_id must be text of at least one character, not ''"),
    ({"MsgBody": BODY, "ToAccount": 7}, "Message.to_account must be text of at least one character, not 7"),
    (
        {"MsgBody": BODY, "SessionId": "s", "MsgRandom": True},
        "Message.msg_random must be a whole number from 0 to 4294967295",
    ),
    ({"MsgBody": BODY, "SessionId": "s", "MsgRandom": 2**32}, "from 0 to 4294967295, not 4294967296"),
    ({"MsgBody": BODY, "SessionId": "s", "MsgRandom": None}, "from 0 to 4294967295, not None"),
    ({"MsgBody": BODY, "SessionId": "s", "MsgRandom": 1.0}, "from 0 to 4294967295, not 1.0"),
    ({"MsgBody": BODY, "SessionId": "s", "CloudCustomData": {}}, "Message.cloud_custom_data must be text, not {}"),
    ({"MsgBody": BODY, "SessionId": "s", "ExcludeFromUserRespTimeout": 2}, "must be True or False, not 2"),
    ({"MsgBody": BODY, "SessionId": "s", "Key": 7}, "Message.key must be text of at least one character, not 7"),
    (
        {"MsgBody": BODY, "session_id": "s"},
        "unknown field 'session_id': a message has SessionId, FromAccount, ToAccount",
    ),
    ({"MsgBody": BODY, 7: "s"}, "unknown field '7': a message has SessionId"),
]


@pytest.mark.parametrize(("wire", "text"), BAD, ids=[text for _, text in BAD])
def test_bad_dicts_are_refused_by_name(wire: Any, text: str) -> None:
    """An error about a dict says what was wrong and what a message has."""
    with pytest.raises(MessageError) as caught:
        Message.from_dict(wire)
    assert text in str(caught.value)
    assert Delivery.NOT_SENT is caught.value.delivery


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Message.to_session(None, "a"), "session_id is missing"),  # type: ignore[arg-type]
        (lambda: Message.to_user(None, "a"), "to_account is missing"),  # type: ignore[arg-type]
        (lambda: Message.to_session("s"), "the message is empty"),
        (
            lambda: Message.to_session("s", None),
            "None is no element: give text, an element such as TextElem, or a Card",
        ),  # type: ignore[arg-type]
        (
            lambda: Message.to_session("s", ["a"]),
            "give text, an element such as TextElem, or a Card; several go in as send(…, *elements)",
        ),  # type: ignore[arg-type]
        (lambda: Message.to_session("s", {"a": 1}), "{'a': 1} is no element"),  # type: ignore[arg-type]
        (lambda: Message.to_session("s", b"a"), "b'a' is no element"),  # type: ignore[arg-type]
        (
            lambda: Message.to_session("s", Card("a"), "b", CustomElem("c")),
            "the message has 2 custom elements or cards; Desk takes one",
        ),
        (
            lambda: Message.to_session("s", RawElem.loaded("TIMCustomElem", {}), Card("a")),
            "the message has 2 custom elements",
        ),
        (lambda: Message.to_session("s", RawElem.loaded("", "x")), "MsgBody[0] is no element"),
        (lambda: Message.to_session("s", Payload()), "no wire form of Payload"),
        (lambda: Message(session_id="s", elements="abc"), "elements must be a list of elements, not 'abc'"),  # type: ignore[arg-type]
        (lambda: Message(session_id="s", elements=7), "elements must be a list of elements, not 7"),  # type: ignore[arg-type]
        (lambda: Message.to_session("s", "a", msg_random=-1), "Message.msg_random must be a whole number from 0"),
        (lambda: Message.to_session("s", "a", exclude_from_user_resp_timeout=1), "must be True or False, not 1"),  # type: ignore[arg-type]
        (
            lambda: Message.to_user("u", "a", from_account=""),
            "Message.from_account must be text of at least one character",
        ),
    ],
)
def test_messages_that_desk_would_refuse_are_not_made(make: Any, text: str) -> None:
    """Every rule that needs no reply of Desk's is checked when the message is made."""
    with pytest.raises(MessageError) as caught:
        make()
    assert text in str(caught.value)


class _Louder(TextElem):
    """An element class of a caller's own."""


def test_an_element_of_a_derived_class_is_refused() -> None:
    """What it adds would be lost on the wire without a word."""
    with pytest.raises(MessageError, match="is no element"):
        as_element(_Louder("a"))


def test_what_stands_for_an_element() -> None:
    """Text is a TextElem; a payload and a mapping are written into a custom element when the message is made."""
    card = {"src": "22"}
    custom = CustomElem(card)
    message = Message.to_session("s", custom, "hi")
    card["src"] = "changed"
    assert (CustomElem('{"src":"22"}'), TextElem("hi")) == message.elements
    assert CustomElem('{"src":"30","content":"a","customerServicePlugin":0}') == as_element(RichText("a"))


def test_the_flag_reads_as_number_and_as_boolean() -> None:
    """0 and 1 are the page's, True and False JSON's (1229/68821)."""
    wire = {"SessionId": "s", "MsgBody": BODY}
    flags = [Message.from_dict({**wire, "ExcludeFromUserRespTimeout": v}) for v in (0, 1, False, True, None)]
    assert [False, True, False, True, None] == [m.exclude_from_user_resp_timeout for m in flags]


def test_a_dict_without_a_number_draws_one() -> None:
    """A missing MsgRandom is drawn, twice differently."""
    first, second = (Message.from_dict({"SessionId": "s", "MsgBody": BODY}) for _ in range(2))
    assert first.msg_random != second.msg_random


def test_both_ends_of_the_range_are_drawn() -> None:
    """0 and 2**32-1 are numbers like any other."""
    assert [0, _STRIDE] == [draw() for draw in [MsgRandomSource(lambda: 0)] for _ in range(2)]
    assert [_MASK, _STRIDE - 1] == [draw() for draw in [MsgRandomSource(lambda: _MASK)] for _ in range(2)]


@given(st.integers(0, _MASK), st.integers(0, _MASK))
def test_no_number_repeats_before_all_are_used(first: int, second: int) -> None:
    """The stride is odd, so it has an inverse: the position of a number in the sequence is unique."""
    inverse = pow(_STRIDE, -1, 2**32)
    assert (first == second) == (first * inverse % 2**32 == second * inverse % 2**32)
    assert 1 == _STRIDE % 2


def test_a_hundred_thousand_numbers_differ() -> None:
    """A broadcast of 10**5 messages draws no number twice, and each fits 32 bits."""
    source = MsgRandomSource()
    drawn = {source() for _ in range(100_000)}
    assert 100_000 == len(drawn)
    assert 0 <= min(drawn) <= max(drawn) <= _MASK


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_starts_elsewhere() -> None:
    """Parent and child never draw the same numbers: the child starts anew."""
    starts = iter([0, 1_000_000])
    source = MsgRandomSource(lambda: next(starts))
    assert 0 == source()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(source()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "1000000" == pipe.read()
    assert _STRIDE == source()


def test_results_survive_pickle() -> None:
    """What a batch reports may travel to another process."""
    result = SendResult(7, 1, 0.5, "key", {"ErrorCode": 0})
    outcome = Outcome(index=0, delivery=Delivery.SENT, message=Message.to_session("s", "a"), result=result)
    assert outcome == pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own
    assert {} == SendResult(7, 1, 0.5).raw
