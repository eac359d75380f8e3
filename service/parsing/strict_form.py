"""A strict parser of forms: application/x-www-form-urlencoded (URL Standard, section 5)."""

import re
from urllib.parse import parse_qsl

_BODY = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")

Fields = list[tuple[str, str]]
"""Names and values in their order in the form."""


def loads(data: bytes) -> Fields:
    """Parse a form in UTF-8. Raises ValueError for data that no browser sends.

    Rejects unescaped bytes, invalid escapes, invalid UTF-8 and fields without `=`.
    """
    if not _BODY.fullmatch(data):
        raise ValueError("not urlencoded")
    return parse_qsl(
        data.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
    )
