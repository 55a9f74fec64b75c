"""What a call is, and the way to every call that has no class here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from attrs import Attribute, field, frozen

from deskim._checks import flag, json_mapping, refused
from deskim._codec import OpenValue

DESK = "desk_http_svc"
"""The service name of Desk's own calls (1229/68821)."""

R_co = TypeVar("R_co", covariant=True)


class Command(Protocol[R_co]):
    """Name a call: an attrs value whose fields are the body, and these four facts about it."""

    @property
    def service(self) -> str:
        """Return the service name in the path, ``desk_http_svc`` for Desk."""
        ...

    @property
    def path(self) -> str:
        """Return the command name in the path, e.g. ``get_session_state``."""
        ...

    @property
    def repeatable(self) -> bool:
        """Tell whether the call may be made twice without harm, as a question may."""
        ...

    @property
    def reply(self) -> type[R_co]:
        """Return the class of the reply."""
        ...


@frozen
class Reply(OpenValue):
    """Hold the reply of a call that answers nothing but success; the base of all other replies.

    ``extra`` holds the fields that deskim does not know, and those whose value is not as documented.
    """


@frozen
class RawReply:
    """Hold the reply of a :class:`RawCommand`: all that Desk answered."""

    raw: Mapping[str, Any] = field(hash=False)


_NAME = re.compile(r"[A-Za-z0-9_-]+")


def _part_of_path(instance: object, attribute: Attribute[str], value: object) -> None:
    """Check that a field is one part of ``/v4/service/command`` (1047/34620)."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        wanted = "one part of the path v4/SERVICE/PATH, such as 'openim' and 'querystate'"
        raise refused(instance, attribute, wanted, value)


@frozen
class RawCommand:
    """Make any other call of Tencent's REST interface: its service, its command and its body as plain JSON.

    ``service`` and ``path`` are the two last parts of the call's path, ``v4/openim/querystate``, say. ``repeatable``
    says that a lost reply may be answered by making the call again. Raises ``MessageError``. Source: 1047/34620.
    """

    service: str = field(validator=_part_of_path)
    path: str = field(validator=_part_of_path)
    body: Mapping[str, Any] = field(factory=dict[str, Any], converter=json_mapping, hash=False)
    repeatable: bool = field(default=False, kw_only=True, validator=flag)
    reply = RawReply
