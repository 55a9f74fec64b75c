"""What the fake Desk remembers for a test to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from attrs import field, frozen

from deskim._codec import load_body, loads
from deskim._elements import CustomElem, Elem, TextElem
from deskim.payloads import Payload

_SHOWN = 120


def _mask(query: Mapping[str, str]) -> str:
    return repr({name: "***" if name == "usersig" else value for name, value in query.items()})


def _head(body: bytes) -> str:
    return repr(body) if len(body) <= _SHOWN else f"{body[:_SHOWN]!r}…"


@frozen(kw_only=True)
class ReceivedRequest:
    """Show one request that arrived, and what came of it.

    :ivar method: the HTTP method.
    :ivar path: the path of the URL.
    :ivar query: the parameters of the URL; the UserSig is among them, but no repr shows it.
    :ivar headers: the headers, their names in lower case; of a repeated one, the last.
    :ivar body: the body, in bytes.
    :ivar time: when it arrived, in Unix seconds by the fake's clock.
    :ivar status: the HTTP status of the reply.
    :ivar code: the ErrorCode of the reply; ``None`` for a reply that :meth:`FakeDesk.respond_next` made.
    :ivar duplicate: whether it repeated a message within the deduplication window, so that users saw nothing of it.
    :ivar dropped: whether the connection was cut instead of a reply.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(repr=_mask)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=_head)
    time: float
    status: int
    code: int | None
    duplicate: bool = False
    dropped: bool = False

    @property
    def command(self) -> str:
        """Return the last part of the path, e.g. ``send_msg``."""
        return self.path.rpartition("/")[2]

    @property
    def json(self) -> Any:
        """Return the body as a JSON value; raises ``ValueError`` where it is none."""
        return loads(self.body)


@frozen(kw_only=True)
class SeenMessage:
    """Show one message as its recipient saw it, decoded (1229/68821).

    :ivar session_id: the session it was sent to; ``None`` for a message to a user.
    :ivar to_account: the user it was sent to; ``None`` for a message to a session.
    :ivar from_account: the customer service account that sent it to a user.
    :ivar msg_random: its MsgRandom.
    :ivar elements: its elements; those that deskim does not know are ``RawElem``.
    :ivar cloud_custom_data: its CloudCustomData, where it has one.
    :ivar exclude_from_user_resp_timeout: its ExcludeFromUserRespTimeout, where it has one.
    :ivar time: when it was accepted, in Unix seconds by the fake's clock.
    """

    session_id: str | None = None
    to_account: str | None = None
    from_account: str | None = None
    msg_random: int
    elements: tuple[Elem, ...]
    cloud_custom_data: str | None = None
    exclude_from_user_resp_timeout: bool | None = None
    time: float

    @property
    def text(self) -> str:
        """Return what its text elements say, line by line."""
        return "\n".join(element.text for element in self.elements if isinstance(element, TextElem))

    @property
    def payload(self) -> Payload | Mapping[str, Any] | None:
        """Return what its custom element carries: a ``Card`` or another payload, a mapping, or ``None``."""
        custom = (element.payload() for element in self.elements if isinstance(element, CustomElem))
        return next(custom, None)


def seen_message(body: Mapping[str, Any], now: float) -> SeenMessage:
    """Return what the recipient sees of a body that was found to be in order."""
    excluded = cast("int | None", body.get("ExcludeFromUserRespTimeout"))
    return SeenMessage(
        session_id=body.get("SessionId"),
        to_account=body.get("ToAccount"),
        from_account=body.get("FromAccount"),
        msg_random=body["MsgRandom"],
        elements=tuple(load_body(body["MsgBody"])),
        cloud_custom_data=body.get("CloudCustomData"),
        exclude_from_user_resp_timeout=None if excluded is None else bool(excluded),
        time=now,
    )
