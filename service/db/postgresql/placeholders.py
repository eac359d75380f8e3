"""Translate the placeholders `?` to PostgreSQL's `$1`, `$2` and so on."""

import itertools
import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""('(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/) | \?""", re.VERBOSE | re.DOTALL
)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> bytes:
    """Number the placeholders. Text in quotes and comments stays unchanged."""
    numbers = itertools.count(1)

    def replace(match: re.Match[str]) -> str:
        return match[1] or f"${next(numbers)}"

    return _TOKEN.sub(replace, sql).encode()
