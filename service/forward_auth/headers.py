"""The identity headers of a caller."""

from urllib.parse import quote

from service.tokens.claims import Claims

NOTHING = "-"
"""The value of an empty header. Caddy requires that each header exists and is not empty."""

_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def of(claims: Claims, name: str | None, email: str | None) -> dict[str, str]:
    """Return the identity headers of a caller. Tokens do not contain name and e-mail address."""
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
    """Return a text as a header value: non-ASCII characters are percent-encoded UTF-8.

    Percent signs and a text equal to NOTHING are also encoded, so that decoding is unambiguous.
    """
    encoded = quote((text or "").strip(), safe=_AS_IT_IS)
    return {"": NOTHING, NOTHING: "%2D"}.get(encoded, encoded)
