"""The pieces of a message that grows; ``desk.stream_to_session`` sends them."""

from __future__ import annotations

from attrs import Attribute, field, frozen

from deskim._checks import filled, flag, optional, refused, text
from deskim._codec import Flag, MsgBody
from deskim._elements import RawElem
from deskim.commands._core import DESK, Reply


@frozen(kw_only=True)
class StreamKey(Reply):
    """Name the message that a stream writes; in the first reply, and perhaps in later ones."""

    msg_key: str | None = None


@frozen(kw_only=True)
class SendStreamMsg:
    """Send one piece of a message that grows (1229/68822); it is appended, so it is not repeated.

    :ivar session_id: the session.
    :ivar chunk: the text to append.
    :ivar msg_key: the MsgKey of the first reply; left out in the first call.
    :ivar finish: whether this is the last piece.
    :ivar cloud_custom_data: text that is stored with the message (679/116636).
    """

    service = DESK
    path = "send_stream_msg"
    repeatable = False
    reply = StreamKey

    session_id: str = field(validator=filled)
    chunk: str = field(validator=text)
    msg_key: str | None = field(default=None, validator=optional(filled))
    finish: Flag | None = field(default=None, validator=optional(flag))
    cloud_custom_data: str | None = field(default=None, validator=optional(text))


def _one_stream(instance: object, attribute: Attribute[MsgBody], value: MsgBody) -> None:
    if [getattr(element, "msg_type", "") for element in value] != ["TIMStreamElem"]:
        raise refused(instance, attribute, "one TIMStreamElem, as stream_elem() makes it", value)


def stream_elem(index: int, markdown: str, *, is_last: bool = False, compatible_text: str = "") -> RawElem:
    """Return the element for one piece of Markdown: ``index`` counts the pieces from 1 (269/129279).

    ``compatible_text`` is what clients show that are too old for it.
    """
    chunk = {"EventType": "data", "Index": index, "Markdown": markdown, "IsLast": is_last}
    return RawElem("TIMStreamElem", {"CompatibleText": compatible_text, "Chunks": [chunk]})


@frozen(kw_only=True)
class SendStreamMsgV2:
    """Send one piece of a Markdown message that grows (269/129279): in China alone, and under 128 KB altogether.

    It is appended, so it is not repeated.

    :ivar session_id: the session.
    :ivar msg_body: one element of :func:`stream_elem`.
    :ivar msg_key: the MsgKey of the first reply; left out in the first call.
    :ivar cloud_custom_data: text that is stored with the message.
    """

    service = DESK
    path = "send_stream_msg_v2"
    repeatable = False
    reply = StreamKey

    session_id: str = field(validator=filled)
    msg_body: MsgBody = field(validator=_one_stream)
    msg_key: str | None = field(default=None, validator=optional(filled))
    cloud_custom_data: str | None = field(default=None, validator=optional(text))
