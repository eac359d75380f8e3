"""A strict parser of `Content-Type` (RFC 9110 section 8.3.1).

The library's parser takes milliseconds for unusual values and fails for some.
"""

import re
from dataclasses import dataclass

from multidict import CIMultiDictProxy

from service import errors

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]++"  # noqa: S105  # a word of the standard
_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}")
_PARAMETER = re.compile(
    rf'[ \t]*+;[ \t]*+(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~])*+"))?'
)
_UTF_8 = frozenset({"utf-8", "utf8"})


@dataclass(frozen=True, slots=True)
class Media:
    """A media type in lower case, '' if missing, and whether its charset is UTF-8."""

    type: str
    is_utf_8: bool = True


def of(headers: CIMultiDictProxy[str]) -> Media:
    """Return the media type of the body. Raises ContentTypeUnsupported if it is malformed."""
    lines = headers.getall("Content-Type", ())
    if not lines:
        return Media("")
    if len(lines) > 1:
        raise errors.ContentTypeUnsupported("Send the header Content-Type only once.")
    text = lines[0].strip(" \t")
    found = _TYPE.match(text)
    if found is None:
        raise _unreadable()
    charsets = [value for name, value in _parameters(text, found.end()) if name == "charset"]
    if len(charsets) > 1:
        raise _unreadable()
    return Media(found[0].lower(), all(value in _UTF_8 for value in charsets))


def _parameters(text: str, start: int) -> list[tuple[str, str]]:
    """Return the parameters in lower case. `name*=…` and `name*0=…` count as `name`."""
    parameters = []
    while start < len(text):
        found = _PARAMETER.match(text, start)
        if found is None:
            raise _unreadable()
        if found[1]:
            parameters.append((found[1].partition("*")[0].lower(), found[2].strip('"').lower()))
        start = found.end()
    return parameters


def _unreadable() -> errors.Problem:
    return errors.ContentTypeUnsupported(
        f"The header Content-Type is malformed. Send {JSON} or {FORM}."
    )
