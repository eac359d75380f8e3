"""Cookies: one strict reader for a value that is a credential, one writer (RFC 6265 4.1, 4.2.1)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from service import errors

# Blanks and control characters that servers strip; the last range are such bytes, undecodable.
_BLANK = r"\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\udc80-\udca0"

MOST_PAIRS = 1000
"""How many cookies are compared. Browsers keep at most some 200 for a site."""
MOST_ENCODED = 500
"""How many `%` in names of cookies are decoded. Frameworks that encode names have a few."""


def read(lines: Iterable[str], name: str) -> str | None:
    """Return the value of the cookie called exactly `name`, or None when there is none.

    `lines` are all `Cookie` header lines of the request. Only blanks around a pair are taken off;
    nothing is unquoted, decoded or merged. Raises CookieAmbiguous when the name comes twice, also
    in a spelling that another server would read as this name: it would see another cookie than we.
    So it does if there are too many cookies to compare, and the name is among them.
    """
    lines, prefix = tuple(lines), name + "="
    if len(lines) == 1 and lines[0].count(name) < 2 and "%" not in lines[0]:
        return _only(lines[0], prefix)  # nearly always
    if sum(line.count(";") for line in lines) > MOST_PAIRS:
        if any(name in line for line in lines):
            raise errors.CookieAmbiguous
        return None
    if _count(lines, name) > 1:
        raise errors.CookieAmbiguous
    pairs = (pair.strip(" ") for line in lines for pair in line.split(";"))
    return next((pair[len(prefix) :] for pair in pairs if pair.startswith(prefix)), None)


def _only(line: str, prefix: str) -> str | None:
    """Return the value of a cookie whose name stands in a line once at most."""
    before, found, rest = line.partition(prefix)
    before = before.rstrip(" ")
    if not found or (before and before[-1] != ";"):
        return None
    return rest.partition(";")[0].rstrip(" ")


def _count(lines: Iterable[str], name: str) -> int:
    """Return how often a server that reads cookies less strictly could find `name`."""
    encoded = [found for line in lines if "%" in line for found in _encoded_names(line)]
    plain = sum(line.count(name) for line in lines)
    if len(encoded) + plain < 2:
        return 0  # nothing to compare; so are almost all requests
    if plain > MOST_PAIRS or sum(each.count("%") for each in encoded) > MOST_ENCODED:
        return 2 if plain else 0
    spelt = _spellings(name)
    return sum(len(spelt.findall(line)) for line in lines) + sum(
        spelt.fullmatch(unquote(each) + "=") is not None for each in encoded
    )


def _encoded_names(line: str) -> Iterable[str]:
    """Return the names in a line that some servers decode."""
    names = (pair.partition("=")[0] for pair in line.split(";"))
    return (name for name in names if "%" in name)


@lru_cache(maxsize=64)
def _spellings(name: str) -> re.Pattern[str]:
    """Return what finds a name.

    It is at the beginning or after `;`, `,` or a blank, perhaps in quotes, with blanks around it,
    and before `=`; without `=` only if it is all that there is between two `;`.
    """
    exact = re.escape(name)
    return re.compile(
        rf'(?:(?<![^{_BLANK};,])"?|^[{_BLANK}]*+){exact}[{_BLANK}"]*+=|(?:^|;)[{_BLANK}]*+{exact}[{_BLANK}]*+(?=;|$)'
    )


def lengths(lines: Iterable[str], prefix: str) -> dict[str, int]:
    """Return how long the cookies are whose names begin with `prefix`, in their order."""
    pairs = (pair.strip(" ") for line in lines if prefix in line for pair in line.split(";"))
    found = [pair for pair in pairs if pair.startswith(prefix) and "=" in pair]
    return {pair.partition("=")[0]: len(pair) for pair in found}


def write(  # noqa: PLR0913  # the attributes that we use
    name: str,
    value: str,
    *,
    path: str,
    max_age: int,
    samesite: str,
    secure: bool,
    domain: str | None = None,
) -> str:
    """Write a `Set-Cookie` value, HttpOnly; to clear the cookie, `max_age` is 0 seconds.

    Without `domain` it is of this host alone.
    """
    safe = "; Secure" if secure else ""
    of_domain = f"; Domain={domain}" if domain else ""
    return (
        f"{name}={value}; HttpOnly{safe}; SameSite={samesite}; Path={path}{of_domain}"
        f"; Max-Age={max_age}"
    )
