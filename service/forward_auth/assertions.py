"""Assertions: short-lived JWTs that prove to an application that the proxy called /auth/verify."""

from service.keys import Purpose
from service.tokens.claims import Claims
from service.tokens.issuer import TokenIssuer


def issue(tokens: TokenIssuer, claims: Claims, host: str) -> str:
    """Return a JWT for the application at `host`, its `aud`, valid for a minute.

    Assertions have their own key, so a service that can verify them cannot create sessions.
    """
    about = {name: claims[name] for name in ("sub", "username", "roles")}
    return tokens.sign_document(Purpose.ASSERTION, about, audience=host)
