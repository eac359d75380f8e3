"""One strict reader of forms: application/x-www-form-urlencoded (URL Standard, section 5)."""

import re
from urllib.parse import parse_qsl

_BODY = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")

Fields = list[tuple[str, str]]
"""Names and values, in the order in which they were sent."""


def loads(data: bytes) -> Fields:
    """Parse a form in UTF-8; raise ValueError on what no browser sends.

    Refused: a byte that is not escaped and should be, an escape that is none, bytes that are not
    UTF-8, and a field without `=`.
    """
    if not _BODY.fullmatch(data):
        raise ValueError("not urlencoded")
    return parse_qsl(
        data.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
    )
