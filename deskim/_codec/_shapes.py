"""Attrs classes to wire objects and back: one private cattrs converter, its hooks compiled once per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias, cast, get_args, get_origin

from attrs import fields, frozen
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

Wire: TypeAlias = dict[str, Any]
Dump: TypeAlias = Callable[[Any], Wire]
Load: TypeAlias = Callable[[object], Any]

#: cattrs types the hooks it makes by the class, which is not known here.
_make_dump = cast("Callable[..., Dump]", make_dict_unstructure_fn)
_make_load = cast("Callable[..., Callable[[Mapping[str, Any], type], Any]]", make_dict_structure_fn)


@frozen
class Shape:
    """Hold the compiled hooks of a class and the wire names of its fields; all else goes to ``extra``."""

    dump: Dump
    load: Load
    names: frozenset[str]


@cache
def converter() -> Converter:
    """Return the one converter. It takes no type for another: cattrs' own hooks make 7 to "7", and "abc" to a tuple."""
    strict = Converter(detailed_validation=False, unstruct_collection_overrides={tuple: list})
    for kinds in ((str,), (bool,), (int,), (float, int)):
        strict.register_structure_hook(kinds[0], _take(*kinds))
    strict.register_structure_hook_func(_is_tuple, _take_list)
    return strict


def _is_tuple(kind: Any) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple


def _take_list(value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        msg = f"list expected, not {type(value).__name__}"
        raise TypeError(msg)
    item, _ = get_args(kind)
    return tuple(converter().structure(each, item) for each in cast("list[object]", value))


def _take(*kinds: type) -> Callable[[Any, Any], Any]:
    def take(value: Any, _: Any) -> Any:
        if type(value) not in kinds:
            msg = f"{kinds[0].__name__} expected, not {type(value).__name__}"
            raise TypeError(msg)
        return value

    return take


def pascal(name: str) -> str:
    """Return ``file_size`` as ``FileSize``."""
    return "".join(part.capitalize() for part in name.split("_"))


def camel(name: str) -> str:
    """Return ``custom_field`` as ``customField``."""
    return name[0] + pascal(name)[1:]


def nested(cls: type, shape: Shape) -> None:
    """Teach the converter a class that stands inside others."""
    converter().register_unstructure_hook(cls, shape.dump)
    converter().register_structure_hook(cls, lambda value, _: shape.load(value))


def shape_of(
    cls: type, spell: Callable[[str], str], spellings: Mapping[str, str] | None = None, *, keep_extra: bool = True
) -> Shape:
    """Compile the hooks of a class; ``spellings`` names the fields that ``spell`` would get wrong."""
    known = [a for a in fields(cls) if a.name != "extra"]
    overrides = {
        # only None may be left out: any other default is part of the message
        a.name: override(rename=(spellings or {}).get(a.name) or spell(a.name), omit_if_default=a.default is None)
        for a in known
    }
    names = frozenset(cast("str", each.rename) for each in overrides.values())
    if len(known) < len(fields(cls)):
        overrides["extra"] = override(omit=True)
    dump, load = _make_dump(cls, converter(), **overrides), _make_load(cls, converter(), **overrides)
    if "extra" not in overrides or not keep_extra:
        return Shape(dump, lambda value: load(_mapping(value), cls), names)
    return Shape(_with_extra(dump), lambda value: _keep_extra(load(_mapping(value), cls), value, names), names)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"object expected, not {type(value).__name__}"
        raise TypeError(msg)
    return cast("Mapping[str, Any]", value)


def _with_extra(dump: Dump) -> Dump:
    def dump_all(value: Any) -> Wire:
        wire = dump(value)
        return merge(wire, value.extra) if value.extra else wire

    return dump_all


def _keep_extra(loaded: Any, wire: Any, names: frozenset[str]) -> Any:
    if len(wire) > len(names) or not names.issuperset(wire):
        object.__setattr__(loaded, "extra", {k: v for k, v in wire.items() if k not in names})
    return loaded


def merge(known: Wire, extra: Mapping[str, Any]) -> Wire:
    """Return ``known`` with what ``extra`` adds; what is known stands."""
    return known | {key: value for key, value in extra.items() if key not in known}
