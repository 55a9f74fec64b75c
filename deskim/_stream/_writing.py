"""Pieces of text to calls: in the way of the first version of the API, or of the second."""

from __future__ import annotations

from typing import Final, Protocol

from attrs import field, frozen

from deskim._checks import filled, optional, text
from deskim.commands import Command, SendStreamMsg, SendStreamMsgV2, StreamKey, stream_elem

MAX_MARKDOWN: Final = 128 * 1024
"""A Markdown message has fewer bytes than this (269/129279)."""
COMPATIBLE_TEXT: Final = "Please update the app to see this message."
"""What clients show that are too old for Markdown that grows."""


class Writing(Protocol):
    """Turn pieces of text into calls: in the way of the first or the second version of the API."""

    @property
    def max_bytes(self) -> int | None:
        """Return how many bytes of text the whole message may have."""
        ...

    def command(self, piece: str, msg_key: str | None, *, index: int, last: bool) -> Command[StreamKey]:
        """Return the call for a piece; ``index`` counts the pieces from 1."""
        ...


@frozen
class PlainWriting:
    """Write plain text (1229/68822)."""

    max_bytes = None

    session_id: str = field(validator=filled)
    cloud_custom_data: str | None = field(validator=optional(text))

    def command(self, piece: str, msg_key: str | None, *, index: int, last: bool) -> Command[StreamKey]:  # noqa: ARG002 - as Markdown needs it
        """Return the call for a piece."""
        return SendStreamMsg(
            session_id=self.session_id,
            chunk=piece,
            msg_key=msg_key,
            finish=True if last else None,
            cloud_custom_data=self.cloud_custom_data if msg_key is None else None,
        )


@frozen
class MarkdownWriting:
    """Write Markdown, its pieces numbered from 1 (269/129279)."""

    max_bytes = MAX_MARKDOWN

    session_id: str = field(validator=filled)
    cloud_custom_data: str | None = field(validator=optional(text))
    compatible_text: str = field(validator=text)

    def command(self, piece: str, msg_key: str | None, *, index: int, last: bool) -> Command[StreamKey]:
        """Return the call for a piece."""
        element = stream_elem(index, piece, is_last=last, compatible_text=self.compatible_text)
        return SendStreamMsgV2(
            session_id=self.session_id,
            msg_body=(element,),
            msg_key=msg_key,
            cloud_custom_data=self.cloud_custom_data if msg_key is None else None,
        )


def writing(session_id: str, cloud_custom_data: str | None, compatible_text: str | None) -> Writing:
    """Return the way to write to a session: Markdown where there is a text for older clients, else plain text."""
    if compatible_text is None:
        return PlainWriting(session_id, cloud_custom_data)
    return MarkdownWriting(session_id, cloud_custom_data, compatible_text)
