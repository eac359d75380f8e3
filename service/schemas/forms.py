"""The fields of a form as the members that a body in JSON has."""

from collections.abc import Sequence

# Check boxes: several of one name, and one that is sent as `true` or not at all.
_LISTS = frozenset({"roles"})
_FLAGS = frozenset({"disabled"})


def form(fields: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return what a form says. A field that comes twice and should not becomes a list: a fault."""
    given: dict[str, list[str]] = {}
    for name, value in fields:
        given.setdefault(name, []).append(value)
    return {
        name: values if name in _LISTS or len(values) > 1 else _value(name, values[0])
        for name, values in given.items()
    }


def _value(name: str, text: str) -> object:
    return True if name in _FLAGS and text == "true" else text
