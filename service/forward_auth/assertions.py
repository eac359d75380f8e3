"""The assertion: a short JWT by which an application knows that the proxy really asked."""

from service.keys import Purpose
from service.tokens.claims import Claims
from service.tokens.issuer import TokenIssuer


def issue(tokens: TokenIssuer, claims: Claims, host: str) -> str:
    """Return a JWT for the application at `host` (its `aud`), good for a minute.

    It has a key of its own: who can check assertions, even with a secret, cannot make sessions.
    """
    about = {name: claims[name] for name in ("sub", "username", "roles")}
    return tokens.sign_document(Purpose.ASSERTION, about, audience=host)
