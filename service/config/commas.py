"""Commas in the values of rules: parts of an LDAP name, or a mistaken separator of rules."""

import re

_NEXT = re.compile(r"(?<!\\),\s*([^\s,=]+)\s*=")
_ATTRIBUTE = re.compile(
    r"cn|ou|dc|o|c|l|st|s|street|uid|sn|gn|givenname|initials|title|description|serialnumber"
    r"|dnqualifier|e|emailaddress|postalcode|[0-9]+(?:\.[0-9]+)+",
    re.IGNORECASE,
)
"""Attribute types of distinguished names: those of RFC 4514 section 3, and common others."""


def check(value: str, what: str) -> None:
    """Raise ValueError if a value contains another rule after a comma.

    A distinguished name also has `=` in its first part: `cn=it,dc=example`.
    """
    if "=" not in value.partition(",")[0] and (found := _NEXT.search(value)):
        raise ValueError(
            f"has a comma before {found[1]}=: separate {what} with semicolons, as in a=b; c=d"
        )


def doubtful(value: str) -> str | None:
    """Return the first name in a value that is not an attribute of a distinguished name."""
    names = (found[1] for found in _NEXT.finditer(value))
    return next((name for name in names if not _ATTRIBUTE.fullmatch(name)), None)
