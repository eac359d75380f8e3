"""What a proxy is told of a caller, in headers."""

from urllib.parse import quote

from service.tokens.claims import Claims

NOTHING = "-"
"""Stands in a header where there is nothing to say: Caddy wants each to be there, not empty."""

_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def of(claims: Claims, name: str | None, email: str | None) -> dict[str, str]:
    """Return the identity headers of a caller; name and e-mail address are in no token."""
    user = value(claims["username"])
    groups = value(",".join(role["role"] for role in claims["roles"]))
    return {
        "Remote-User": user,
        "Remote-Groups": groups,
        "Remote-Name": value(name),
        "Remote-Email": value(email),
        "X-Auth-Request-User": user,
        "X-Auth-Request-Groups": groups,
        "X-Auth-Request-Email": value(email),
    }


def value(text: str | None) -> str:
    """Return a text as a header can carry it: percent-encoded UTF-8, wherever it is not ASCII.

    A percent sign is encoded too, and what would pass for nothing: decoding gives back the text.
    """
    encoded = quote((text or "").strip(), safe=_AS_IT_IS)
    return {"": NOTHING, NOTHING: "%2D"}.get(encoded, encoded)
