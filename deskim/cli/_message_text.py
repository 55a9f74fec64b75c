"""A message as lines of text, and as JSON."""

from __future__ import annotations

from typing import Any

from deskim._checks import shown
from deskim._codec import dump_body
from deskim._elements import CustomElem, Elem, RawElem, TextElem
from deskim.payloads import Card
from deskim.testing import SeenMessage


def addressee(message: SeenMessage) -> str:
    """Return where a message went."""
    if message.session_id is not None:
        return f"session {message.session_id}"
    return f"user {message.to_account}, from {message.from_account}"


def lines(message: SeenMessage) -> list[str]:
    """Return what the recipient sees, line by line."""
    return [line for element in message.elements for line in _element(element)]


def _element(element: Elem) -> list[str]:
    if isinstance(element, TextElem):
        return element.text.splitlines() or [""]
    if isinstance(element, CustomElem) and isinstance(card := element.payload(), Card):
        return card_lines(card)
    kind = element.msg_type if isinstance(element, RawElem) else type(element).__name__
    return [f"[{kind}] {shown(element)}"]


def card_lines(card: Card) -> list[str]:
    """Return a card as text."""
    parts = {"desc": card.desc, "pic": card.pic, "url": card.url}
    return [f"[card] {card.header}", *(f"  {name}: {value}" for name, value in parts.items() if value)]


def as_json(message: SeenMessage) -> dict[str, Any]:
    """Return a message in the form of `Message.to_dict`, with the time at which it came."""
    fields = {
        "SessionId": message.session_id,
        "FromAccount": message.from_account,
        "ToAccount": message.to_account,
        "MsgRandom": message.msg_random,
        "MsgBody": dump_body(message.elements),
        "CloudCustomData": message.cloud_custom_data,
        "ExcludeFromUserRespTimeout": message.exclude_from_user_resp_timeout,
        "Time": message.time,
    }
    return {name: value for name, value in fields.items() if value is not None}
