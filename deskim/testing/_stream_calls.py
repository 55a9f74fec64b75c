"""The calls that let a message grow, in both versions (1229/68822, 269/129279)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ._conversations import AGENT
from ._fields import filled, flag, text
from ._reply import Accepted, Refused
from ._state import DeskState
from ._streams import MAX_MARKDOWN, Piece, SeenStream


def send_stream_msg(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Append a piece of text (1229/68822)."""
    if not isinstance(body.get("Chunk"), str):
        raise Refused(141004, "Chunk must be text")
    return _append(state, body, Piece(body["Chunk"], flag(body, "Finish")), now)


def send_stream_msg_v2(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Append a piece of Markdown (269/129279)."""
    return _append(state, body, _markdown(body.get("MsgBody")), now)


def _append(state: DeskState, body: Mapping[str, Any], piece: Piece, now: float) -> Accepted:
    session_id, key = filled(body, "SessionId"), text(body, "MsgKey")
    text(body, "CloudCustomData")
    state.sessions.check(session_id)
    earlier = _continued(state, session_id, key, piece) if key else None
    written = (earlier.text if earlier else "") + piece.text
    if piece.index is not None and len(written.encode("utf-8", "replace")) >= MAX_MARKDOWN:
        raise Refused(93000, "a Markdown message has fewer than 131,072 bytes")
    stream = earlier or _begun(state, body, piece, now)
    stream.take(piece, now)
    return Accepted({"MsgKey": stream.msg_key} if not key or stream.markdown else {})


def _begun(state: DeskState, body: Mapping[str, Any], piece: Piece, now: float) -> SeenStream:
    stream = SeenStream(
        session_id=body["SessionId"],
        msg_key=f"{len(state.streams) + 1}_{int(now)}_fake",
        markdown=piece.index is not None,
        cloud_custom_data=body.get("CloudCustomData"),
        time=now,
        line=state.conversations.say(body["SessionId"], AGENT, [], now),
    )
    state.streams.append(stream)
    return stream


def _continued(state: DeskState, session_id: str, key: str, piece: Piece) -> SeenStream:
    for stream in state.streams:
        if (stream.msg_key, stream.session_id, stream.markdown) == (key, session_id, piece.index is not None):
            return stream
    raise Refused(141004, "no stream of this session has this MsgKey")


def _markdown(body: object) -> Piece:
    content = _stream_content(body)
    chunks: object = content.get("Chunks")
    pieces = [_object(chunk) for chunk in cast("Iterable[Any]", chunks)] if isinstance(chunks, list) else []
    if not pieces or not all(map(_in_order, pieces)):
        raise Refused(90010, "Chunks is a list of pieces: EventType, Index from 1, Markdown and IsLast")
    written = "".join(piece["Markdown"] for piece in pieces)
    return Piece(written, pieces[-1].get("IsLast", False), pieces[-1]["Index"], content["CompatibleText"])


def _stream_content(body: object) -> Mapping[str, Any]:
    elements = [_object(element) for element in cast("Iterable[Any]", body)] if isinstance(body, list) else []
    if [element.get("MsgType") for element in elements] != ["TIMStreamElem"]:
        raise Refused(90002, "MsgBody must be an array of one TIMStreamElem")
    content = _object(elements[0].get("MsgContent"))
    if not isinstance(content.get("CompatibleText"), str):
        raise Refused(90010, "CompatibleText is missing or no text")
    return content


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _in_order(piece: Mapping[str, Any]) -> bool:
    return (
        isinstance(piece.get("EventType"), str)
        and type(piece.get("Index")) is int
        and piece["Index"] >= 1
        and isinstance(piece.get("Markdown"), str)
        and isinstance(piece.get("IsLast", False), bool)
    )
