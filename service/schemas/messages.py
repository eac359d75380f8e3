"""Faults of a value in words for people, who count neither bytes nor places in lists."""

import re
from collections.abc import Mapping

from service.errors import ValidationError

_ROLE = re.compile(r"roles\[(\d+)\]", re.ASCII)
_SHOWN = 80  # characters


def in_words(invalid: ValidationError, value: object) -> list[str]:
    """Return one line for each fault that was found in `value`; a role by its name."""
    return [f"{_where(error['attribute'], value)}: {error['message']}" for error in invalid.errors]


def _where(attribute: str, value: object) -> str:
    place = _ROLE.fullmatch(attribute)
    roles = value.get("roles") if isinstance(value, Mapping) else None
    if place and isinstance(roles, (list, tuple)):
        return f"role {shown(roles[int(place[1])])}"
    return attribute if attribute.isprintable() else shown(attribute)


def shown(value: object) -> str:
    """Return what was given, in quotes and with nothing in it that could play tricks."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
