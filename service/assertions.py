"""The assertion: a short JWT by which an application knows that the proxy really asked."""

from service.tokens import Claims, Tokens

TYPE = "latchkey-assertion+jwt"
SECONDS = 60


def issue(tokens: Tokens, claims: Claims, host: str) -> str | None:
    """Return a JWT for the application at `host` (its `aud`), good for a minute.

    None while a secret signs our tokens (HS256): whoever could check the assertion could make
    sessions as well.
    """
    if not tokens.has_public_key:
        return None
    now = tokens.now()
    about = {name: claims[name] for name in ("sub", "username", "roles")}
    return tokens.sign_document({"aud": host, **about, "iat": now, "exp": now + SECONDS}, typ=TYPE)
