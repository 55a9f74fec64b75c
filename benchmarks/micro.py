"""Encode messages, against a dict written by hand and the same encoder; with `fast` or without, in its own process."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from benchmarks.client import WITHOUT_FAST
from benchmarks.messages import TEXT, session

_CARD: Final[dict[str, Any]] = {
    "header": "Your order has shipped",
    "desc": "Two parcels, 3.4 kg; they will arrive on Friday between 9 and 12. 你好 " * 2,
    "pic": "https://shop.example/pictures/20240612-8841/parcel-large.jpg",
    "url": "https://shop.example/orders/20240612-8841?from=desk",
}
_LOOPS: Final = 5_000

Encode = Callable[[], bytes]


def _encoder() -> Callable[[Any], bytes]:
    """Return the encoder that deskim uses here: orjson, or the standard library's, made once."""
    try:
        import orjson
    except ImportError:
        encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
        return lambda value: encode(value).encode()
    return orjson.dumps


def _texts(dumps: Callable[[Any], bytes]) -> tuple[Encode, Encode]:
    from deskim import Message, TextElem
    from deskim._protocol import encode_message

    message = Message.to_session(session(1), TEXT)

    def by_hand() -> bytes:
        elem = message.elements[0]
        assert isinstance(elem, TextElem)
        body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": elem.text}}]
        return dumps({"SessionId": message.session_id, "MsgRandom": message.msg_random, "MsgBody": body})

    return partial(encode_message, message, None), by_hand


def _cards(dumps: Callable[[Any], bytes]) -> tuple[Encode, Encode]:
    """Return both ways for a card, whose JSON is text inside the JSON of the message."""
    from deskim import Card, Message
    from deskim._codec import data_text
    from deskim._protocol import encode_message

    card = Card(**_CARD)
    message = Message.to_session(session(1), card)

    def ours() -> bytes:
        data_text(card)  # a message does this when it is made
        return encode_message(message, None)

    def by_hand() -> bytes:
        content = {"header": card.header, "desc": card.desc, "pic": card.pic, "url": card.url}
        data = dumps({"src": "22", "content": content, "customerServicePlugin": 0}).decode()
        body = [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}}]
        return dumps({"SessionId": message.session_id, "MsgRandom": message.msg_random, "MsgBody": body})

    return ours, by_hand


def _seconds(encode: Encode) -> float:
    begun = time.process_time()
    for _ in range(_LOOPS):
        encode()
    return (time.process_time() - begun) / _LOOPS


def compare(ours: Encode, by_hand: Encode, rounds: int) -> dict[str, float]:
    """Return the ratio (median, least and most of the rounds), both times in microseconds, and the size in bytes."""
    assert json.loads(by_hand()) == json.loads(ours()), "both ways have to say the same"
    pairs = [(_seconds(ours), _seconds(by_hand)) for _ in range(rounds)]
    ratios = sorted(mine / floor for mine, floor in pairs)
    return {
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
        "us": statistics.median(mine for mine, _ in pairs) * 1e6,
        "by_hand_us": statistics.median(floor for _, floor in pairs) * 1e6,
        "bytes": len(ours()),
    }


def main(speed: str, rounds: int) -> None:
    """Print the comparison as JSON."""
    if speed == "plain":
        for name in WITHOUT_FAST:
            sys.modules[name] = None  # type: ignore[assignment]
    dumps = _encoder()
    print(json.dumps({"text": compare(*_texts(dumps), rounds), "card": compare(*_cards(dumps), rounds)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
