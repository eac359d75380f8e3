"""Statements have `?` where values go; PostgreSQL wants `$1`, `$2` and so on."""

import itertools
import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""('(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/) | \?""", re.VERBOSE | re.DOTALL
)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> bytes:
    """Number the placeholders; what stands in quotes or comments is left alone."""
    numbers = itertools.count(1)

    def replace(match: re.Match[str]) -> str:
        return match[1] or f"${next(numbers)}"

    return _TOKEN.sub(replace, sql).encode()
