"""Dates as texts: RFC 3339, UTC, in seconds."""

import time
from functools import lru_cache

FORM = "%Y-%m-%dT%H:%M:%SZ"


@lru_cache(maxsize=1024)
def rfc3339(seconds: int) -> str:
    """Return seconds since 1970 as a text, such as `2026-11-28T15:27:19Z`."""
    return time.strftime(FORM, time.gmtime(seconds))
