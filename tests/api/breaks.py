"""What callers of a package would miss in its next version."""

from __future__ import annotations

from collections.abc import Iterator

import griffe


def breaks(old: griffe.Module, new: griffe.Module) -> list[str]:
    """Return one line for each."""
    found = list(map(_told, griffe.find_breaking_changes(old, new)))
    before, after = dict(_listed(old)), dict(_listed(new))
    found += [f"{name}: no longer in __all__" for name in before.keys() - after.keys()]
    both = before.keys() & after.keys()
    found += [f"{name}: leads nowhere" for name in both if after[name] is None is not before[name]]
    found += [line for name in both for line in _demanded(name, before[name], after[name])]
    return sorted(set(found))


def may_break(was: str, now: str) -> bool:
    """Tell whether a version may break what an earlier one offered (semver.org, items 4 and 8)."""
    first, second = was.split("."), now.split(".")
    return first[:2] != second[:2] if first[0] == "0" else first[0] != second[0]


def _told(breakage: griffe.Breakage) -> str:
    parameter = f"({breakage.old_value.name})" if isinstance(breakage.old_value, griffe.Parameter) else ""
    return f"{breakage.obj.path}{parameter}: {breakage.kind.value}"


def _listed(module: griffe.Module) -> Iterator[tuple[str, griffe.Object | None]]:
    """Give the names of each public ``__all__``, and what they stand for."""
    for name in map(str, module.exports or ()):
        yield f"{module.path}.{name}", _known(module.members.get(name))
    for each in module.modules.values():
        if not each.is_alias and not each.name.startswith("_"):
            yield from _listed(each)


def _known(member: griffe.Object | griffe.Alias | None) -> griffe.Object | None:
    try:
        return member.final_target if isinstance(member, griffe.Alias) else member
    except griffe.AliasResolutionError:
        return None


def _demanded(name: str, old: griffe.Object | None, new: griffe.Object | None) -> list[str]:
    """Find the fields that an attrs class newly insists on."""
    before, after = _fields(old), _fields(new)
    return [f"{name}.{field}: a new field without a default" for field in after.keys() - before if not after[field]]


def _fields(thing: griffe.Object | None) -> dict[str, bool]:
    """Return the fields of an attrs class, and whether each has a default."""
    if not isinstance(thing, griffe.Class) or not any(map(_makes_attrs, thing.decorators)):
        return {}
    fields = {
        name: each for name, each in thing.attributes.items() if each.annotation and "property" not in each.labels
    }
    return {name: _has_default(str(each.value or "field()")) for name, each in fields.items()}


def _makes_attrs(decorator: griffe.Decorator) -> bool:
    return str(decorator.value).partition("(")[0] in {"frozen", "define", "attrs.frozen", "attrs.define"}


def _has_default(value: str) -> bool:
    needs_none = ("default=", "factory=", "init=False")
    return not value.startswith(("field(", "attrs.field(")) or any(each in value for each in needs_none)
