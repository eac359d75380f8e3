"""The type of one setting."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting. `default` is text and parsed like any other value; None means unset."""

    name: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str
    secret: bool = False
