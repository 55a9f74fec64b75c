"""`deskim send`: one message to a session or to a user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from attrs import fields
from cyclopts import Parameter

from deskim._codec import dump_body
from deskim._messages import Content, Message, SendResult, as_element
from deskim.cli._input import json_argument, text_argument
from deskim.cli._screen import UsageError, say, say_json
from deskim.cli._settings import Connection, Settings
from deskim.payloads import Card

CARD_FIELDS = ("header", "desc", "pic", "url")
CARD_FORM = "header=... desc=... pic=... url=..."


async def send(
    text: str | None = None,
    /,
    *,
    session: str | None = None,
    user: str | None = None,
    from_account: Annotated[str | None, Parameter(name="--from")] = None,
    card: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True)] = None,
    card_header: str | None = None,
    card_desc: str | None = None,
    card_pic: str | None = None,
    card_url: str | None = None,
    json: str | None = None,
    cloud_custom_data: str | None = None,
    exclude_from_timeout: bool = False,
    msg_random: int | None = None,
    deadline: float | None = None,
    result_json: bool = False,
    settings: Connection = None,
) -> None:
    """Send one message to a session or to a user.

    Put a text first, or after `--`: `--card` takes all words that follow it.

    :param text: The text; `-` reads it from standard input.
    :param session: The id of the session to send into.
    :param user: The user to send to.
    :param from_account: The customer service account that sends to a user [env DESKIM_CUSTOMER_SERVICE_ACCOUNT].
    :param card: A card, as header=... desc=... pic=... url=...
    :param card_header: The card's headline.
    :param card_desc: The card's text.
    :param card_pic: The URL of the card's picture.
    :param card_url: Where a tap on the card leads.
    :param json: MsgBody elements or a whole message as JSON; `@FILE` or `-` reads it.
    :param cloud_custom_data: CloudCustomData, a text of your own.
    :param exclude_from_timeout: Keep the message out of the countdown for the user's reply.
    :param msg_random: The MsgRandom of a message that is sent again.
    :param deadline: How long the whole call may take, in seconds; 30 by default.
    :param result_json: Print the result as JSON.
    """
    loose = {"header": card_header, "desc": card_desc, "pic": card_pic, "url": card_url}
    card_fields = {**_card_words(card), **{name: value for name, value in loose.items() if value is not None}}
    given = {
        "SessionId": session,
        "ToAccount": user,
        "FromAccount": from_account,
        "CloudCustomData": cloud_custom_data,
        "ExcludeFromUserRespTimeout": 1 if exclude_from_timeout else None,
        "MsgRandom": msg_random,
    }
    message = _message(_wire_json(json, text, card_fields) if json else _wire_body(text, card_fields), given)
    async with (settings or Settings()).client() as desk:
        result = await desk.send(message, deadline=deadline)
    _tell(result, as_json=result_json)


def _card_words(words: Sequence[str] | None) -> dict[str, str]:
    """Return the fields of a card written as name=value."""
    if words is None:
        return {}
    if not words:
        raise UsageError(f"--card takes the fields of a card: {CARD_FORM}")
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals or name not in CARD_FIELDS:
            raise UsageError(f"{name!r} is no field of a card: --card takes {CARD_FORM}")
    return {name: value for name, _, value in pairs}


def _wire_body(text: str | None, card: Mapping[str, str]) -> dict[str, Any]:
    contents: list[Content] = [] if text is None else [text_argument(text)]
    if card:
        contents.append(_card(card))
    if not contents:
        raise UsageError("nothing to send: give a text, --card or --json")
    return {"MsgBody": dump_body(map(as_element, contents))}


def _card(card: Mapping[str, str]) -> Card:
    if "header" not in card:
        raise UsageError("a card needs a headline: header=...")
    return Card(header=card["header"], desc=card.get("desc", ""), pic=card.get("pic", ""), url=card.get("url", ""))


def _wire_json(json: str, text: str | None, card: Mapping[str, str]) -> dict[str, Any]:
    """Return the message that JSON gives: its elements, one element, or the whole form of `Message.to_dict`."""
    if text is not None or card:
        raise UsageError("--json is the whole content: give no text and no card beside it")
    value = json_argument(json)
    if isinstance(value, list):
        return {"MsgBody": value}
    if not isinstance(value, Mapping):
        raise UsageError("--json takes a list of elements, one element, or a message with MsgBody")
    return {"MsgBody": [value]} if "MsgType" in value else dict(cast("Mapping[str, Any]", value))


def _message(wire: Mapping[str, Any], given: Mapping[str, object]) -> Message:
    whole = {**wire, **{name: value for name, value in given.items() if value is not None}}
    if not {"SessionId", "ToAccount"} & whole.keys():
        raise UsageError("say to whom: --session ID or --user ID")
    if {"SessionId", "ToAccount"} <= whole.keys():
        raise UsageError("a message goes to a session or to a user, not to both")
    return Message.from_dict(whole)


def _tell(result: SendResult, *, as_json: bool) -> None:
    if as_json:
        say_json({field.name: getattr(result, field.name) for field in fields(SendResult)})
        return
    tries = f"{result.attempts} attempts" if result.attempts > 1 else "1 attempt"
    key = f", MsgKey {result.msg_key}" if result.msg_key else ""
    say(f"sent: {tries}, {result.elapsed * 1000:.0f} ms, MsgRandom {result.msg_random}{key}")
