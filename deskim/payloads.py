"""Desk's own messages, which ride as JSON in the Data of a custom element (269/96058).

Give one to a ``send_…`` call, or wrap it yourself: ``CustomElem(data=Card(header="…"))``.
Only the kinds whose body is documented, or read by Tencent's own clients, have a class; any other is a plain mapping:
``CustomElem(data={"src": "39", "customerServicePlugin": 0})``. Where a docstring names no page, the fields are those
that Tencent's Android and web clients read. Each class raises ``MessageError`` for a field of the wrong kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from attrs import field, frozen

from deskim._checks import (
    extra_fields,
    flag,
    instance_of,
    is_list,
    no_fields,
    one_of,
    optional,
    sequence,
    text,
    tuple_of,
    whole,
)

T = TypeVar("T")


__all__ = [
    "BotChoice",
    "BotChoices",
    "Branch",
    "Card",
    "CardField",
    "Choice",
    "ClarifyMessage",
    "CollectForm",
    "InputVariable",
    "OrderCard",
    "Payload",
    "RatingCard",
    "RatingOption",
    "RatingSettings",
    "RichText",
    "SeatStatus",
    "StreamText",
    "TaskBranch",
    "TaskForm",
    "TaskInfo",
    "Thinking",
    "TimeoutWarning",
    "WelcomeMessage",
]


@frozen(kw_only=True)
class _Open:
    """Keep in ``extra`` the fields that deskim does not know, in the shape they have on the wire."""

    extra: Mapping[str, Any] = field(factory=no_fields, converter=extra_fields, hash=False)


@frozen
class Payload(_Open):
    """Be one of Desk's own messages (269/96058); the base of the classes here, and none itself.

    ``extra`` holds the fields that deskim does not know, in the shape they have on the wire, and is sent along.
    """

    src: ClassVar[str]
    """The kind of message on the wire, e.g. ``"22"``."""


@frozen
class Choice(_Open):
    """Offer one answer among several: what the user sends by choosing it, and a description."""

    content: str = field(validator=text)
    desc: str = field(default="", validator=text)


def _choices(value: Iterable[str | Choice]) -> tuple[Choice, ...]:
    return _each(Choice, value)


def _each(kind: Callable[[str], T], value: Iterable[str | T]) -> tuple[T, ...]:
    if not is_list(value):
        return cast("tuple[T, ...]", value)  # for the validator to refuse
    return tuple(kind(item) if isinstance(item, str) else item for item in value)


@frozen
class CardField(_Open):
    """Show a further line on a card: a name and its value."""

    name: str = field(validator=text)
    value: str = field(validator=text)


def _card_fields(value: Iterable[CardField] | None) -> tuple[CardField, ...] | None:
    return None if value is None else sequence(value)


@frozen
class Card(Payload):
    """Show a product or an article: a headline, a text, a picture and where a tap leads (``src`` 22, 1229/68821).

    ``pic`` and ``url`` are URLs. ``custom_field`` holds further lines, which Tencent's Android client shows.
    """

    src: ClassVar[str] = "22"

    header: str = field(validator=text)
    desc: str = field(default="", validator=text)
    pic: str = field(default="", validator=text)
    url: str = field(default="", validator=text)
    custom_field: tuple[CardField, ...] | None = field(
        default=None, converter=_card_fields, validator=optional(tuple_of(CardField))
    )


@frozen
class OrderCard(Payload):
    """Show an order (``src`` 28): a guiding line, the order's name, a description and a picture's URL."""

    src: ClassVar[str] = "28"

    guide: str = field(default="", validator=text)
    name: str = field(default="", validator=text)
    desc: str = field(default="", validator=text)
    pic: str = field(default="", validator=text)


@frozen
class RichText(Payload):
    """Show Markdown (``src`` 30)."""

    src: ClassVar[str] = "30"

    content: str = field(validator=text)


@frozen
class Branch(Payload):
    """Offer choices, of which the user sends one back as a plain text (``src`` 15, 269/96058).

    ``items`` takes :class:`Choice` or text.
    """

    src: ClassVar[str] = "15"

    header: str = field(validator=text)
    items: tuple[Choice, ...] = field(converter=_choices, validator=tuple_of(Choice))
    tail: str = field(default="", validator=text)
    selected: Choice | None = field(default=None, validator=optional(instance_of(Choice)))


@frozen
class CollectForm(Payload):
    """Ask for one piece of information (``src`` 21): free input (``type`` 0) or choices (``type`` 1)."""

    src: ClassVar[str] = "21"

    header: str = field(validator=text)
    type: int = field(default=0, validator=one_of(0, 1))
    items: tuple[Choice, ...] = field(default=(), converter=_choices, validator=tuple_of(Choice))
    selected: Choice | None = field(default=None, validator=optional(instance_of(Choice)))


@frozen
class BotChoice(_Open):
    """Offer one question that the user may ask by a tap; ``id`` and ``answer`` as the web client has them."""

    content: str = field(validator=text)
    id: str | None = field(default=None, validator=optional(text))
    answer: str | None = field(default=None, validator=optional(text))


def _bot_choices(value: Iterable[str | BotChoice]) -> tuple[BotChoice, ...]:
    return _each(BotChoice, value)


@frozen
class BotChoices(Payload):
    """Answer with a title, a text and questions to choose from (``src`` 29); the base of its two kinds."""

    src: ClassVar[str] = "29"
    subtype: ClassVar[str]

    title: str = field(default="", validator=text)
    content: str = field(default="", validator=text)
    items: tuple[BotChoice, ...] = field(default=(), converter=_bot_choices, validator=tuple_of(BotChoice))


@frozen
class WelcomeMessage(BotChoices):
    """Greet the user with questions to choose from (``src`` 29, ``welcome_msg``)."""

    subtype: ClassVar[str] = "welcome_msg"


@frozen
class ClarifyMessage(BotChoices):
    """Ask the user which of several questions was meant (``src`` 29, ``clarify_msg``)."""

    subtype: ClassVar[str] = "clarify_msg"


@frozen
class StreamText(Payload):
    """Show a streamed text as it stands (``src`` 31); Desk makes it from streamed messages (1229/68822)."""

    src: ClassVar[str] = "31"

    chunks: tuple[str, ...] = field(converter=sequence, validator=tuple_of(str))
    is_finished: int = field(default=0, validator=one_of(0, 1))

    @property
    def text(self) -> str:
        """Return the text so far."""
        return "".join(self.chunks)


@frozen
class TaskInfo(_Open):
    """Name the task and the node that a task's message belongs to."""

    task_id: int = field(validator=whole())
    node_id: str = field(validator=text)
    env: str = field(validator=text)


@frozen
class TaskBranch(Payload):
    """Offer the choices of a task flow (``src`` 32).

    ``status``: 0 can choose, 1 not submitted, 2 submitted. ``option_type``: 0 options that vanish, 1 buttons that stay.
    """

    src: ClassVar[str] = "32"

    header: str = field(validator=text)
    items: tuple[Choice, ...] = field(converter=_choices, validator=tuple_of(Choice))
    tail: str = field(default="", validator=text)
    selected: Choice | None = field(default=None, validator=optional(instance_of(Choice)))
    status: int = field(default=0, validator=one_of(0, 1, 2))
    option_type: int = field(default=0, validator=one_of(0, 1))
    task_info: TaskInfo | None = field(default=None, validator=optional(instance_of(TaskInfo)))


@frozen(kw_only=True)
class InputVariable(_Open):
    """Ask for one variable of a task's form. ``form_type``: 0 input, 1 choose. ``is_required``: 0 no, 1 yes."""

    name: str = field(validator=text)
    type: str = field(default="", validator=text)
    form_type: int = field(default=0, validator=one_of(0, 1))
    placeholder: str = field(default="", validator=text)
    is_required: int = field(default=0, validator=one_of(0, 1))
    variable_value: str = field(default="", validator=text)
    choose_item_list: tuple[str, ...] = field(default=(), converter=sequence, validator=tuple_of(str))


@frozen
class TaskForm(Payload):
    """Ask for the variables of a task flow (``src`` 33). ``node_status``: 0 open, 1 not submitted, 2 submitted."""

    src: ClassVar[str] = "33"

    tip: str = field(validator=text)
    input_variables: tuple[InputVariable, ...] = field(converter=sequence, validator=tuple_of(InputVariable))
    node_status: int = field(default=0, validator=one_of(0, 1, 2))


@frozen
class Thinking(Payload):
    """Show that the bot is thinking, or has finished (``src`` 35). ``thinking_status``: 0 thinking, 1 finished."""

    src: ClassVar[str] = "35"

    thinking_status: int = field(default=0, validator=one_of(0, 1))


@frozen
class TimeoutWarning(Payload):
    """Warn the user that the session is about to time out (``src`` 37)."""

    src: ClassVar[str] = "37"

    content: str = field(validator=text)


@frozen
class RatingOption(_Open):
    """Offer one mark of a rating, e.g. ``RatingOption("105", "Very satisfied")``."""

    id: str = field(validator=text)
    content: str = field(validator=text)


@frozen
class RatingCard(Payload):
    """Ask for a rating of the session (``src`` 9, 269/96058).

    ``type``: 1 stars, 2 numbers. ``effective_hour`` in hours; ``expire_time`` in Unix seconds.
    """

    src: ClassVar[str] = "9"

    head: str = field(validator=text)
    menu: tuple[RatingOption, ...] = field(converter=sequence, validator=tuple_of(RatingOption))
    session_id: str = field(validator=text)
    tail: str = field(default="", validator=text)
    type: int = field(default=1, validator=one_of(1, 2))
    effective_hour: int | None = field(default=None, validator=optional(whole()))
    expire_time: int | None = field(default=None, validator=optional(whole()))
    selected: RatingOption | None = field(default=None, validator=optional(instance_of(RatingOption)))
    allow_client_send_rating: bool | None = field(default=None, validator=optional(flag))


@frozen
class RatingSettings(Payload):
    """Tell the client who may ask for a rating (``src`` 23): a bit mask of 1 automatic, 2 the agent, 4 the user."""

    src: ClassVar[str] = "23"

    menu_send_rule_flag: int = field(validator=whole(0, 7))


@frozen
class SeatStatus(Payload):
    """Tell the client whether a human is in the session (``src`` 26): ``inSeat`` or ``outSeat``."""

    src: ClassVar[str] = "26"

    content: str = field(validator=text)
