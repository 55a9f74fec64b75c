"""A message as a value, stamped with its MsgRandom when it is made, and what became of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast, get_args

from attrs import evolve, field, fields_dict, frozen

from deskim._checks import filled, flag, is_list, no_fields, plain, shown, text, whole
from deskim._codec import dump_body, load_body, with_text_data
from deskim._elements import CustomElem, Elem, RawElem, TextElem
from deskim._here import forks
from deskim.errors import Delivery, DeskError, MessageError
from deskim.payloads import Payload

Content: TypeAlias = "str | Elem | Payload"

_KINDS = frozenset(get_args(Elem))

_MASK = 2**32 - 1
_STRIDE = 0x9E3779B1  # odd, so i * stride runs through all of 2**32 before it repeats


class MsgRandomSource:
    """Draw 32-bit numbers without ever repeating one before all 2**32 are used.

    Two messages of one sender with equal content and MsgRandom count as one within Tencent's window (269/2282), and
    plain random draws repeat about once in 10**5 messages. A forked process starts anew, elsewhere.
    """

    def __init__(self, start: Callable[[], int] = lambda: random.SystemRandom().getrandbits(32)) -> None:
        self._start = start
        self._forks = -1
        self._numbers: Iterator[int] = iter(())

    def __call__(self) -> int:
        """Return the next number, in 0…2**32-1."""
        if forks.count != self._forks:
            self._forks = forks.count
            self._numbers = itertools.count(self._start(), _STRIDE)
        return next(self._numbers) & _MASK


draw_msg_random = MsgRandomSource()


def as_element(content: object) -> Elem:
    """Return the element for what a caller gave: text, a payload or an element."""
    if isinstance(content, str):
        return TextElem(content)
    if isinstance(content, Payload):
        return with_text_data(CustomElem(content))
    if isinstance(content, CustomElem):
        return with_text_data(content)
    if type(content) in _KINDS:  # a class derived from one may hold what has no place in the message
        return cast("Elem", content)
    hint = "; several go in as send(…, *elements)" if type(content) in (list, tuple) else ""
    raise MessageError(f"{shown(content)} is no element: give text, an element such as TextElem, or a Card{hint}")


def _elements(contents: Iterable[Content]) -> tuple[Elem, ...]:
    if not is_list(contents):
        raise MessageError(f"elements must be a list of elements, not {shown(contents)}")
    return tuple(map(as_element, contents))


def _body(_: object, __: object, elements: tuple[Elem, ...]) -> None:
    if not elements:
        raise MessageError("the message is empty: give at least one element, e.g. a text")
    custom = 0
    for index, elem in enumerate(elements):
        custom += isinstance(elem, CustomElem)
        if isinstance(elem, RawElem):
            _check_raw(index, elem)
            custom += elem.msg_type == "TIMCustomElem"
    if custom > 1:  # 647/74355: several elements, but one TIMCustomElem at most
        raise MessageError(f"the message has {custom} custom elements or cards; Desk takes one: send the others apart")


def _check_raw(index: int, elem: RawElem) -> None:
    if not elem.msg_type:
        what = f"MsgBody[{index}] is no element, an object of MsgType and MsgContent"
        raise MessageError(f"{what}: {shown(elem.msg_content)}")


@frozen(kw_only=True)
class Message:
    """Say what to send, and to whom; make one with :meth:`to_session` or :meth:`to_user` (1229/68821).

    The MsgRandom is drawn here, once: Desk takes messages of equal sender, content and MsgRandom for one, so sending
    the same object again is a repetition, not a second message. :meth:`again` gives the second message.
    """

    session_id: str | None = None
    to_account: str | None = None
    from_account: str | None = None
    elements: tuple[Elem, ...] = field(converter=_elements, validator=_body)
    msg_random: int = field(factory=draw_msg_random, validator=whole(0, _MASK))
    cloud_custom_data: str | None = None
    exclude_from_user_resp_timeout: bool | None = None
    key: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check what may be left out, and that there is one addressee."""
        if self.session_id is not None:
            filled(self, _FIELD["session_id"], self.session_id)
        if self.to_account is not None:
            filled(self, _FIELD["to_account"], self.to_account)
        if self.from_account is not None:
            filled(self, _FIELD["from_account"], self.from_account)
        if self.cloud_custom_data is not None:
            text(self, _FIELD["cloud_custom_data"], self.cloud_custom_data)
        if self.exclude_from_user_resp_timeout is not None:
            flag(self, _FIELD["exclude_from_user_resp_timeout"], self.exclude_from_user_resp_timeout)
        if self.key is not None:
            filled(self, _FIELD["key"], self.key)
        if (self.session_id is None) == (self.to_account is None):
            raise MessageError("a message goes either to a session (session_id) or to a user (to_account)")
        if self.session_id is not None and self.from_account is not None:
            raise MessageError("from_account is for messages to a user; a session has its sender already")

    @classmethod
    def to_session(
        cls,
        session_id: str,
        *elements: Content,
        cloud_custom_data: str | None = None,
        exclude_from_user_resp_timeout: bool | None = None,
        msg_random: int | None = None,
        key: str | None = None,
    ) -> Message:
        """Return a message into a session.

        ``elements`` are text, elements or one payload such as ``Card``; ``key`` is your own id of the message.
        Raises ``MessageError`` for what Desk would refuse. Source: 1229/68821.
        """
        if session_id is None:  # pyright: ignore[reportUnnecessaryComparison] - it comes from the caller
            raise _missing("session_id")
        return cls(
            session_id=session_id,
            elements=elements,
            msg_random=draw_msg_random() if msg_random is None else msg_random,
            cloud_custom_data=cloud_custom_data,
            exclude_from_user_resp_timeout=exclude_from_user_resp_timeout,
            key=key,
        )

    @classmethod
    def to_user(
        cls,
        to_account: str,
        *elements: Content,
        from_account: str | None = None,
        cloud_custom_data: str | None = None,
        exclude_from_user_resp_timeout: bool | None = None,
        msg_random: int | None = None,
        key: str | None = None,
    ) -> Message:
        """Return a message from a customer service account to a user.

        Without ``from_account`` the client's own account is the sender. Raises ``MessageError`` for what Desk would
        refuse. Source: 1229/68821.
        """
        if to_account is None:  # pyright: ignore[reportUnnecessaryComparison] - it comes from the caller
            raise _missing("to_account")
        return cls(
            to_account=to_account,
            from_account=from_account,
            elements=elements,
            msg_random=draw_msg_random() if msg_random is None else msg_random,
            cloud_custom_data=cloud_custom_data,
            exclude_from_user_resp_timeout=exclude_from_user_resp_timeout,
            key=key,
        )

    def again(self) -> Message:
        """Return the same message with a new MsgRandom: for Desk, another message."""
        return evolve(self, msg_random=draw_msg_random())

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON values: one form for JSONL files, queues and the command line.

        Raises ``MessageError`` where an element that was read holds what JSON cannot say.
        """
        return {**wire_fields(self), **({} if self.key is None else {"Key": self.key})}

    @classmethod
    def from_dict(cls, wire: Mapping[str, Any]) -> Message:
        """Return the message of a :meth:`to_dict` form; a missing MsgRandom is drawn.

        Raises ``MessageError`` for unknown, missing or wrong fields.
        """
        return cls(**_arguments(wire))


_FIELD = fields_dict(Message)
_FIELDS = {
    "SessionId": "session_id",
    "FromAccount": "from_account",
    "ToAccount": "to_account",
    "MsgRandom": "msg_random",
    "MsgBody": "elements",
    "CloudCustomData": "cloud_custom_data",
    "ExcludeFromUserRespTimeout": "exclude_from_user_resp_timeout",
    "Key": "key",
}


def _missing(name: str) -> MessageError:
    return MessageError(f"{name} is missing")


def wire_fields(message: Message, sender: str | None = None) -> dict[str, Any]:
    """Return the fields of a message in the order of Tencent's page (1229/68821); ``sender`` where it names none."""
    number, body = message.msg_random, dump_body(message.elements)
    if message.session_id is not None:
        fields: dict[str, Any] = {"SessionId": message.session_id, "MsgRandom": number, "MsgBody": body}
    else:
        sender = message.from_account or sender
        whom = (
            {"ToAccount": message.to_account}
            if sender is None
            else {"FromAccount": sender, "ToAccount": message.to_account}
        )
        fields = {**whom, "MsgRandom": number, "MsgBody": body}
    if message.cloud_custom_data is not None:
        fields["CloudCustomData"] = message.cloud_custom_data
    if message.exclude_from_user_resp_timeout is not None:
        # 0 counts in the "user reply timeout" countdown, 1 does not (1229/68821)
        fields["ExcludeFromUserRespTimeout"] = int(message.exclude_from_user_resp_timeout)
    return fields


def _arguments(wire: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(wire, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from files
        raise MessageError(f"a message is an object with MsgBody and SessionId or ToAccount, not {shown(wire)}")
    if unknown := wire.keys() - _FIELDS:
        raise MessageError(f"unknown field {shown(min(map(str, unknown)))}: a message has {', '.join(_FIELDS)}")
    arguments = {_FIELDS[name]: value for name, value in wire.items()}
    arguments["elements"] = load_body(_array(arguments.get("elements")))
    excluded = arguments.get("exclude_from_user_resp_timeout")
    if type(excluded) is int and excluded in (0, 1):
        arguments["exclude_from_user_resp_timeout"] = bool(excluded)
    return arguments


def _array(body: object) -> list[Any]:
    """Return what MsgBody holds, as plain JSON values: it may come from anywhere."""
    if not isinstance(body, list | tuple):
        raise MessageError(f"MsgBody must be a list of elements, not {shown(body)}")
    copy: list[Any] = plain(cast("list[Any]", body), "MsgBody")
    return copy


@frozen
class SendResult:
    """Report a message that Desk accepted.

    :ivar msg_random: the MsgRandom it was sent with.
    :ivar attempts: how often it was tried.
    :ivar elapsed: how long it took, waiting included, in seconds.
    :ivar msg_key: the MsgKey, where Desk's reply holds one.
    :ivar raw: the whole reply, fields included that deskim does not know.
    :ivar resent: whether it was sent again after an attempt of unknown outcome.
    """

    msg_random: int
    attempts: int
    elapsed: float
    msg_key: str | None = None
    raw: Mapping[str, Any] = field(factory=no_fields, hash=False)
    resent: bool = False


@frozen(kw_only=True)
class Outcome:
    """Report what became of one item of a batch.

    :ivar index: its place in the input, from 0.
    :ivar key: its key, where it has one.
    :ivar message: the message; ``None`` where the item was no message.
    :ivar delivery: what is known about it.
    :ivar result: for SENT, the result; ``None`` where an earlier run sent it.
    :ivar error: for everything else, the reason.
    :ivar attempts: how often it was tried.
    :ivar resent: whether it was sent again after an attempt of unknown outcome.
    """

    index: int
    delivery: Delivery
    key: str | None = None
    message: Message | None = None
    result: SendResult | None = None
    error: DeskError | None = None
    attempts: int = 0
    resent: bool = False
