"""Values to wire and back. This room alone knows cattrs and JSON."""

from __future__ import annotations

from deskim._codec._bodies import dump_body, dump_element, encode_body, load_body, load_element, with_text_data
from deskim._codec._json import (
    NO_CHARACTER,
    dumps,
    dumps_plain,
    dumps_text,
    is_portable,
    loads,
    loads_reply,
)
from deskim._codec._open import OpenNumber, OpenText
from deskim._codec._payloads import data_text, dump_payload, load_payload, parse_data
from deskim._codec._shapes import Shape, converter, nested, pascal, shape_of
from deskim._codec._values import (
    Flag,
    JsonObject,
    Milliseconds,
    MsgBody,
    OpenValue,
    Seconds,
    dump_value,
    load_value,
    payload_of,
    text_of,
)

__all__ = [
    "NO_CHARACTER",
    "Flag",
    "JsonObject",
    "Milliseconds",
    "MsgBody",
    "OpenNumber",
    "OpenText",
    "OpenValue",
    "Seconds",
    "Shape",
    "converter",
    "data_text",
    "dump_body",
    "dump_element",
    "dump_payload",
    "dump_value",
    "dumps",
    "dumps_plain",
    "dumps_text",
    "encode_body",
    "is_portable",
    "load_body",
    "load_element",
    "load_payload",
    "load_value",
    "loads",
    "loads_reply",
    "nested",
    "parse_data",
    "pascal",
    "payload_of",
    "shape_of",
    "text_of",
    "with_text_data",
]
