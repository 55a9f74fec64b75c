"""Request bytes and reply bytes."""

from __future__ import annotations

import html
import json
import pickle
import re
from typing import Any
from urllib.parse import quote

import pytest
from attrs import frozen
from hypothesis import example, given
from hypothesis import strategies as st

from deskim import errors
from deskim._elements import CustomElem
from deskim._messages import Message
from deskim._protocol import (
    MAX_BODY,
    Identity,
    Reply,
    Signature,
    decode,
    decode_reply,
    encode_command,
    encode_message,
    mask_urls,
    path_of,
)
from deskim._usersig import Secret, sign_usersig
from deskim.commands import RawCommand, RawReply
from deskim.errors import Delivery, DeskError, MessageError, MessageTooLargeError, ReplyError, RetryKind
from deskim.payloads import Card
from tests.support.leaks import shown_by
from tests.support.values import json_values

USERSIG = sign_usersig(
    1400000000, "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e", "administrator", now=1
)
SIGNATURE = Signature(Identity(1400000000, "administrator"), Secret(USERSIG))
TARGET = SIGNATURE.target("/v4/desk_http_svc/send_msg").with_random(7).decode()
DATE = "Sun, 22 Nov 2026 21:59:33 GMT"


def reply(content: object, status: int = 200, **headers: str) -> Reply:
    """Make what came back; a header is named with underscores."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, SIGNATURE.clean(body))


def failure(content: object, status: int = 200, **headers: str) -> DeskError:
    """Return the error that a reply means."""
    with pytest.raises(DeskError) as caught:
        decode(reply(content, status, **headers))
    return caught.value


def fragments(text: str, size: int = 24) -> set[str]:
    """All parts of the signature, of a length that would be worth stealing, that a text shows."""
    return {USERSIG[i : i + size] for i in range(len(USERSIG) - size + 1) if USERSIG[i : i + size] in text}


# ---- requests


def test_the_target_has_the_parameters_of_the_page() -> None:
    """Names and order are those of 1229/68821."""
    expected = (
        "/v4/desk_http_svc/send_msg?sdkappid=1400000000&identifier=administrator"
        f"&usersig={USERSIG}&random=7&contenttype=json"
    )
    assert expected == TARGET


@pytest.mark.parametrize("number", [0, 2**32 - 1])
def test_both_ends_of_random(number: int) -> None:
    """0 and 4294967295 are written as they are."""
    assert SIGNATURE.target("/x").with_random(number).endswith(b"&random=%d&contenttype=json" % number)


def test_a_target_is_made_once() -> None:
    """All calls of one path share it."""
    assert SIGNATURE.target("/x") is SIGNATURE.target("/x")


def test_what_a_provider_gives_is_quoted() -> None:
    """A UserSig of another make cannot add parameters."""
    odd = Signature(Identity(1, "a"), Secret("x&random=1#+"))
    assert b"&usersig=x%26random%3D1%23%2B&random=2&contenttype=json" in odd.target("/x").with_random(2)


def test_neither_signature_nor_target_shows_or_pickles_the_usersig() -> None:
    """No repr and no pickle gives the credential away."""
    target = SIGNATURE.target("/v4/x/y")
    assert "Target('/v4/x/y')" == repr(target)
    assert set() == fragments(repr(SIGNATURE) + repr(vars(SIGNATURE)))
    for holder in (SIGNATURE, target):
        with pytest.raises(TypeError, match="a secret does not pickle"):
            pickle.dumps(holder)


def test_a_message_to_a_user_has_a_sender() -> None:
    """The client's account is the sender unless the message names another; without either it is refused."""
    message = Message.to_user("user45", "hi", msg_random=1)
    assert "@desk" == json.loads(encode_message(message, "@desk"))["FromAccount"]
    other = Message.to_user("user45", "hi", from_account="@other")
    assert "@other" == json.loads(encode_message(other, "@desk"))["FromAccount"]
    with pytest.raises(MessageError, match="give from_account=, or customer_service_account= to the client"):
        encode_message(message, None)


def test_the_same_message_has_the_same_bytes() -> None:
    """A retry sends what the first attempt sent."""
    message = Message.to_user("user45", "hi", msg_random=1)
    assert encode_message(message, "@desk") == encode_message(message, "@desk")


FRAME = len('[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]')


@pytest.mark.parametrize("letter", ["a", "您", "😀", '"'])
def test_the_limit_is_that_of_the_body_in_bytes(letter: str) -> None:
    """MsgBody may have 12,288 bytes of UTF-8 JSON, whatever else the message holds (93000)."""
    size = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    count, rest = divmod(MAX_BODY - FRAME, size)
    text = letter * count + "b" * rest
    encoded = encode_message(Message.to_session("s", text, cloud_custom_data="c" * 20_000), None)
    assert MAX_BODY < len(encoded)
    with pytest.raises(
        MessageTooLargeError, match=r"MsgBody is 12,289 bytes; Desk allows 12,288: send it in parts"
    ) as caught:
        encode_message(Message.to_session("s", text + "b"), None)
    assert Delivery.NOT_SENT is caught.value.delivery


def test_a_surrogate_is_refused_before_sending() -> None:
    """The error names the field of the wire."""
    message = Message.to_session("s", "hi", cloud_custom_data="\ud800")
    with pytest.raises(MessageError, match="CloudCustomData holds half of a surrogate pair"):
        encode_message(message, None)
    with pytest.raises(MessageError, match=r"MsgBody\[0\]\.MsgContent\.Text holds half"):
        encode_message(Message.to_session("s", "\udc00"), None)
    with pytest.raises(MessageError, match=r"MsgBody\[1\]\.MsgContent\.Ext holds half") as caught:
        encode_message(Message.to_session("s", "a", CustomElem("b", ext="\udc00")), None)
    assert caught.value.__context__ is None
    with pytest.raises(MessageError, match=r"^content\.header holds half"):
        Message.to_session("s", Card(header="\udc00", url="u"))


def test_raw_commands() -> None:
    """Any other call is its service, its command and its body; an empty body is {} (1047/34620)."""
    command = RawCommand("openim", "querystate", {"To_Account": ["a"]})
    assert ("/v4/openim/querystate", b'{"To_Account":["a"]}') == (path_of(command), encode_command(command))
    assert b"{}" == encode_command(RawCommand("openim", "querystate"))
    assert RawReply({"ErrorCode": 0, "New": 1}) == decode_reply(command, {"ErrorCode": 0, "New": 1})


@frozen
class _Place:
    name: str


@frozen
class _FindPlace:
    service = "desk_http_svc"
    path = "find_place"
    repeatable = True
    reply = _Place
    place_id: int = 7


def test_a_reply_that_does_not_fit_is_an_error_of_its_own() -> None:
    """Desk took the call, so it is SENT; the error names what did not fit."""
    assert b'{"PlaceId":7}' == encode_command(_FindPlace())
    assert _Place("here") == decode_reply(_FindPlace(), {"ErrorCode": 0, "Name": "here"})
    with pytest.raises(ReplyError, match=r"^Desk took the call, but its answer does not fit _Place") as caught:
        decode_reply(_FindPlace(), {"ErrorCode": 0, "Name": 7})
    assert (Delivery.SENT, False) == (caught.value.delivery, caught.value.retryable)
    assert caught.value.__context__ is None


# ---- replies


@pytest.mark.parametrize(
    "envelope",
    [
        {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0},
        {"ActionStatus": "OK", "ErrorCode": 0},
        {"ErrorCode": 0},
        {"ActionStatus": None, "ErrorCode": 0},
        {"ActionStatus": "", "ErrorCode": 0},
        {"ActionStatus": "ok", "ErrorCode": 0, "MsgKey": "k", "New": [1]},
    ],
    ids=str,
)
def test_success(envelope: dict[str, Any]) -> None:
    """ErrorCode 0 is success; ErrorInfo and ActionStatus may be missing, and unknown fields are kept."""
    assert envelope == decode(reply(envelope))


def test_a_failure_with_code_0() -> None:
    """ActionStatus FAIL is a refusal whatever the code."""
    error = failure({"ActionStatus": "FAIL", "ErrorCode": 0, "ErrorInfo": "no"})
    assert (errors.APIError, 0, "no", Delivery.REJECTED) == (type(error), error.code, error.info, error.delivery)
    assert "Desk answered that the call failed, with code 0. Desk says: no" == str(error)


@pytest.mark.parametrize("code", [90001, 141005, 60011, 141002, 93000, 99999, -1])
def test_a_code_gives_its_error(code: int) -> None:
    """HTTP 200 with an ErrorCode other than 0 is the error of the table, with Desk's own words."""
    error = failure({"ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": "what Desk says"})
    expected = errors.from_code(code, "what Desk says")
    assert (type(expected), code, str(expected)) == (type(error), error.code, str(error))
    assert expected.delivery is error.delivery


def test_a_code_may_be_given_another_kind() -> None:
    """retry_codes of the policy decide over the table."""
    with pytest.raises(DeskError) as caught:
        decode(reply({"ErrorCode": 60022}), {60022: RetryKind.TRANSIENT})
    assert RetryKind.TRANSIENT is caught.value.retry_kind


@pytest.mark.parametrize("info", [None, 7, {"a": 1}, [["x"]]])
def test_error_info_that_is_no_text_is_left_out(info: object) -> None:
    """It may be missing, or anything."""
    assert "" == failure({"ErrorCode": 90001, "ErrorInfo": info}).info


def test_error_info_can_be_shown() -> None:
    """It is cut, and half a surrogate pair in it is replaced, so that every log can write it."""
    error = failure(b'{"ErrorCode":90001,"ErrorInfo":"\\ud800' + b"x" * 5000 + b'"}')
    assert "?" + "x" * 999 == error.info
    assert str(error).encode()


@given(st.binary() | json_values.map(lambda v: json.dumps(v).encode()), st.integers(100, 599))
@example(b'{"ErrorCode":1,"ErrorInfo":' + b"[" * 900 + b"]" * 900 + b"}", 200)
@example(b'{"ErrorCode":0,"ActionStatus":' + b"[" * 900 + b"]" * 900 + b"}", 200)
@example(b'{"ErrorCode":' + b"9" * 5000 + b"}", 200)
@example(b'{"ErrorCode":18446744073709551616}', 200)
@example(b'{"ErrorCode":1e400}', 200)
@example(b'{"ErrorCode":true}', 200)
@example(b'{"ErrorCode":"0"}', 200)
@example(b"[" * 100_000, 200)
@example(b"", 200)
def test_any_bytes_give_an_envelope_or_a_desk_error(content: bytes, status: int) -> None:
    """Whatever answers, the caller gets an envelope or a DeskError that says what is known."""
    for extra in ({}, {"ErrorCode": 0}, {"ErrorCode": 1}):
        body = content if not extra else json.dumps({**extra, "x": content.decode("latin-1")}).encode()
        try:
            envelope = decode(reply(body, status))
        except DeskError as error:
            assert pickle.loads(pickle.dumps(error)).args == error.args  # noqa: PT017, S301 - either is fine
        else:
            assert 0 == envelope["ErrorCode"]


@pytest.mark.parametrize(
    "content", [b"", b"<html>busy</html>", b"[]", b"{}", b'{"ErrorCode":null}', b'{"ErrorCode":true}']
)
def test_what_is_no_envelope_leaves_the_delivery_unknown(content: bytes) -> None:
    """Something answered with 200, but not Desk: it may be tried again, with the same number."""
    error = failure(content, content_type="text/html")
    assert isinstance(error, ReplyError)
    assert (Delivery.UNKNOWN, True, 200) == (error.delivery, error.retryable, error.status)
    assert ("text/html", content.decode()) == (error.content_type, error.body_head)


@pytest.mark.parametrize(
    ("status", "delivery", "kind"),
    [
        (204, Delivery.UNKNOWN, RetryKind.TRANSIENT),
        (302, Delivery.REJECTED, RetryKind.NEVER),
        (400, Delivery.REJECTED, RetryKind.NEVER),
        (404, Delivery.REJECTED, RetryKind.NEVER),
        (408, Delivery.REJECTED, RetryKind.TRANSIENT),
        (500, Delivery.UNKNOWN, RetryKind.TRANSIENT),
        (502, Delivery.UNKNOWN, RetryKind.TRANSIENT),
        (503, Delivery.UNKNOWN, RetryKind.TRANSIENT),
    ],
)
def test_other_statuses(status: int, delivery: Delivery, kind: RetryKind) -> None:
    """Desk answers 200 always: others are of something between, and say whether the message may have passed."""
    error = failure({"ErrorCode": 0}, status, retry_after="3")
    assert isinstance(error, ReplyError)
    assert (status, delivery, kind) == (error.status, error.delivery, error.retry_kind)
    assert str(error).startswith(f"HTTP {status} instead of Desk's answer")
    assert (3.0 if kind is RetryKind.TRANSIENT else None) == error.retry_after


def test_redirects_say_why_they_are_not_followed() -> None:
    """The signature would go along."""
    assert "they would carry the signature elsewhere; check base_url" in str(failure(b"", 307))
    assert "what stands between you and Desk" in str(failure(b"", 403))


def test_too_many_requests() -> None:
    """HTTP 429 is a refusal for the rate."""
    error = failure(b"", 429, retry_after="7")
    assert isinstance(error, errors.RateLimitError)
    assert (Delivery.REJECTED, RetryKind.THROTTLED, 7.0) == (error.delivery, error.retry_kind, error.retry_after)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": " 120 "}, 120.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "1e9"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "Sun, 22 Nov 2026 22:00:03 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Sunday, 22-Nov-26 22:00:03 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Sun, 22 Nov 2026 21:00:00 GMT", "date": DATE}, 0.0),
        ({"retry_after": "Sun, 22 Nov 2026 22:00:03 -0000", "date": DATE}, None),
        ({"retry_after": "Sun, 22 Nov 2026 22:00:03 GMT"}, None),
        ({"retry_after": "Sun, 99 Nov 2026 22:00:03 GMT", "date": DATE}, None),
    ],
    ids=str,
)
def test_the_forms_of_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, or a date that counts from the reply's own; what is neither names no time (RFC 9110, 10.2.3)."""
    assert expected == failure(b"", 503, **headers).retry_after
    assert expected == failure({"ErrorCode": 60011}, **headers).retry_after or expected == 0.0


def test_a_locked_account_waits_for_its_minute() -> None:
    """What the table says stands before a header."""
    assert 60.0 == failure({"ErrorCode": 70050}, retry_after="5").retry_after


# ---- masking


@pytest.mark.parametrize(
    "echo",
    [
        TARGET,
        quote(TARGET, safe=""),
        quote(quote(TARGET, safe=""), safe=""),
        USERSIG,
        quote(USERSIG, safe=""),
        USERSIG[:60],
        USERSIG[40:],
        USERSIG[10:-10],
        f'<a href="{html.escape(TARGET)}">moved</a>',
        f"usersig: {USERSIG}, too long",
        repr({"usersig": USERSIG}),
        TARGET.lower().replace(USERSIG.lower(), USERSIG),
        f"GET {TARGET} HTTP/1.1"[:200],
        f"…{TARGET[150:]}",
        f"{USERSIG}{USERSIG}",
    ],
    ids=range(15),
)
def test_an_echoed_signature_is_masked(echo: str) -> None:
    """However a server repeats it, in text, HTML, JSON or a header, nothing that one could use is shown."""
    for body in (
        echo.encode(),
        json.dumps({"ErrorCode": 70003, "ErrorInfo": echo}).encode(),
        json.dumps({"ErrorCode": 70003, "ErrorInfo": re.sub(r"[^a-z]", lambda c: f"\\u{ord(c[0]):04x}", echo)})
        .replace("\\\\u", "\\u")
        .encode(),
        json.dumps({"ErrorCode": 70003, "ErrorInfo": json.dumps({"request": {"url": echo}})}).encode(),
        b"\xff\x00" + echo.encode(),
        echo.encode("utf-16"),
    ):
        for status in (200, 502):
            error = failure(body, status)
            assert set() == fragments(shown_by(error) + repr(vars(error)))
    assert set() == fragments(SIGNATURE.mask(echo))


@given(st.integers(0, len(USERSIG)), st.integers(0, len(USERSIG)), st.text(max_size=30), st.text(max_size=30))
def test_a_signature_cut_anywhere_is_masked(start: int, end: int, before: str, after: str) -> None:
    """Any part of it, within any text, is found."""
    assert set() == fragments(SIGNATURE.mask(before + USERSIG[start:end] + after))


@given(st.text(st.characters(codec="utf-8")))
@example('{"ActionStatus":"OK","SessionId":"fd8a2e30-54de-4e40-bcaf-02718409c5cf"}')
@example("MsgKey 124_1600045926_716f784b2bbd6ce9415027715")
def test_other_texts_are_left_as_they_are(text: str) -> None:
    """What is no part of the signature is not touched."""
    assert text.encode() == SIGNATURE.clean(text.encode()) or "\\u00" in text or "usersig" in text.lower()
    assert text == SIGNATURE.mask(text) or "usersig" in text.lower()


def test_long_answers_keep_what_is_theirs() -> None:
    """Keys and ids as long as a piece of a signature stay, and so does the JSON around an escape."""
    content = b'{"ErrorCode":0,"a":"\\u0022\\u005c\\u0041","MsgKey":"k696185682_1772184822_8_1600045926_test"}'
    assert json.loads(content) == json.loads(SIGNATURE.clean(content))


def test_urls_are_masked_without_knowing_the_signature() -> None:
    """Whatever stands after usersig= goes, the rest of the URL stays."""
    assert "https://h/p?sdkappid=1&usersig=***&random=7" == mask_urls("https://h/p?sdkappid=1&usersig=abc&random=7")
    assert '{"UserSig": "***", "a": 1}' == mask_urls('{"UserSig": "abc", "a": 1}')
    assert "no usersig here" == mask_urls("no usersig here")
