"""Desk's own messages to the JSON text of a custom element's Data, and back (269/96058)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from attrs import frozen

from deskim import payloads as p
from deskim._codec._json import NO_CHARACTER, dumps, dumps_text, loads
from deskim._codec._shapes import Dump, Shape, Wire, camel, merge, nested, shape_of
from deskim.errors import MessageError

_SPELLINGS: dict[type, dict[str, str]] = {p.TaskInfo: {"task_id": "taskID", "node_id": "nodeID"}}
_NESTED = (p.Choice, p.CardField, p.BotChoice, p.TaskInfo, p.InputVariable, p.RatingOption)


@frozen
class _Layout:
    """Say where a payload's fields stand: those of ``top`` beside ``src``, others under ``body`` if there is one."""

    cls: type[p.Payload]
    body: str = "content"
    top: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    fixed_in_body: tuple[tuple[str, str], ...] = ()


_LAYOUTS = (
    _Layout(p.Card),
    _Layout(p.OrderCard),
    _Layout(p.Branch),
    _Layout(p.CollectForm),
    _Layout(p.WelcomeMessage, fixed=(("subtype", p.WelcomeMessage.subtype),)),
    _Layout(p.ClarifyMessage, fixed=(("subtype", p.ClarifyMessage.subtype),)),
    _Layout(p.RichText, body=""),
    _Layout(p.StreamText, body=""),
    _Layout(p.Thinking, body=""),
    _Layout(p.TimeoutWarning, body=""),
    _Layout(p.TaskBranch, top=("status", "optionType", "taskInfo")),
    _Layout(p.TaskForm, top=("nodeStatus",)),
    _Layout(p.RatingCard, body="menuContent"),
    _Layout(p.RatingSettings),
    _Layout(p.SeatStatus, fixed_in_body=(("command", "updateSeatStatus"),)),
)


@frozen
class _PayloadCodec:
    layout: _Layout
    shape: Shape

    def dump(self, payload: p.Payload) -> Wire:
        """Return the payload as a wire object, its ``extra`` merged in."""
        layout = self.layout
        flat = self.shape.dump(payload)
        top = {name: flat.pop(name) for name in layout.top if name in flat} if layout.top else {}
        body = (
            {layout.body: dict(layout.fixed_in_body) | flat if layout.fixed_in_body else flat} if layout.body else flat
        )
        # The marker 0 tells Desk's messages from an application's own (269/96058)
        wire = {"src": payload.src, **dict(layout.fixed), **top, **body, "customerServicePlugin": 0}
        return self._with_extra(wire, payload.extra) if payload.extra else wire

    def _with_extra(self, wire: Wire, extra: Mapping[str, Any]) -> Wire:
        body = self.layout.body
        deeper = extra.get(body) if body else None
        if isinstance(deeper, dict):
            wire[body] = merge(wire[body], cast("Wire", deeper))
        return merge(wire, extra)

    def load(self, wire: Wire) -> p.Payload:
        """Return the payload of a wire object; raises ``TypeError``, ``KeyError``, ``ValueError`` where it is none."""
        layout = self.layout
        body = wire[layout.body] if layout.body else wire
        top = {name: wire[name] for name in layout.top if name in wire}
        names = self.shape.names.difference(layout.top)
        if not all(wire[name] == value for name, value in layout.fixed):
            raise ValueError(layout.fixed)
        flat = {name: value for name, value in body.items() if name in names}
        loaded: p.Payload = self.shape.load({**flat, **top})
        extra = self._extra(wire, body, names)
        if extra:
            object.__setattr__(loaded, "extra", extra)
        return loaded

    def _extra(self, wire: Wire, body: Wire, names: frozenset[str]) -> Wire:
        layout = self.layout
        inside = names.union(name for name, _ in layout.fixed_in_body)
        at_top = {"src", "customerServicePlugin", *layout.top, *(name for name, _ in layout.fixed)}
        at_top |= {layout.body} if layout.body else names
        extra = {name: value for name, value in wire.items() if name not in at_top}
        deeper = {name: value for name, value in body.items() if name not in inside} if layout.body else {}
        return {**extra, layout.body: deeper} if deeper else extra


@cache
def _codecs() -> dict[type[p.Payload], _PayloadCodec]:
    for cls in _NESTED:
        nested(cls, shape_of(cls, camel, _SPELLINGS.get(cls)))
    return {layout.cls: _PayloadCodec(layout, shape_of(layout.cls, camel, keep_extra=False)) for layout in _LAYOUTS}


@cache
def _by_src() -> dict[str, list[_PayloadCodec]]:
    found: dict[str, list[_PayloadCodec]] = {}
    for cls, codec in _codecs().items():
        found.setdefault(cls.src, []).append(codec)
    return found


def dump_payload(payload: p.Payload) -> Wire:
    """Return a payload as the object that its JSON text holds; raises ``MessageError`` for a class of one's own."""
    codec = _codecs().get(type(payload))
    if codec is None:
        raise MessageError(f"deskim knows no wire form of {type(payload).__name__}: give a mapping with its src")
    return codec.dump(payload)


def load_payload(wire: Wire) -> p.Payload | Wire:
    """Return the payload that a Data object stands for, or the object itself where deskim has no class for it.

    The Android client sends ``src`` 15 as a number too, so ``src`` compares as text.
    """
    if _is_desk(wire):
        for codec in _by_src().get(str(wire.get("src")), ()):
            try:
                return codec.load(wire)
            except (TypeError, KeyError, ValueError, AttributeError):
                continue
    return wire


def _is_desk(wire: Wire) -> bool:
    """Tell Desk's messages by the test of Tencent's own web client: customerServicePlugin 0, or chatbotPlugin 1."""
    return wire.get("customerServicePlugin") in (0, "0") or wire.get("chatbotPlugin") in (1, "1")


def data_text(data: p.Payload | Mapping[str, Any]) -> str:
    """Return the text of a custom element's Data: JSON inside the JSON of the body (1229/68821)."""
    if not isinstance(data, p.Payload):
        return dumps(data).decode()
    dump = _cards().get(type(data))
    if dump is None or data.extra or getattr(data, "custom_field", None):
        return dumps(dump_payload(data)).decode()
    try:
        return dumps_text({"src": data.src, "content": dump(data), "customerServicePlugin": 0}).decode()
    except NO_CHARACTER:
        pass
    return dumps(dump_payload(data)).decode()  # it says where what is no character stands


@cache
def _cards() -> dict[type, Dump]:
    """Return the dumpers of what nearly all cards are: texts alone, which were checked when they were made."""
    return {cls: _codecs()[cls].shape.dump for cls in (p.Card, p.OrderCard)}


def parse_data(text: str) -> p.Payload | Wire | None:
    """Return what a custom element's Data says: a payload, a mapping where the kind is unknown, else ``None``."""
    try:
        wire = loads(text)
    except ValueError:
        return None
    return load_payload(cast("Wire", wire)) if isinstance(wire, dict) else None
