"""The assertion: a short JWT by which an application knows that the proxy really asked."""

from collections import OrderedDict

from service.tokens import Claims, Tokens

TYPE = "latchkey-assertion+jwt"
SECONDS = 60
_REUSED_SECONDS = 30
_REMEMBERED = 10_000


class Assertions:
    """Issues assertions, one for each user and host in half a minute: a signature costs."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._issued: OrderedDict[tuple[int, int, str], tuple[int, str]] = OrderedDict()

    def issue(self, claims: Claims, host: str) -> str | None:
        """Return a JWT for the application at `host` (its `aud`), good for 30 to 60 seconds.

        None while a secret signs our tokens (HS256): whoever could check the assertion could make
        sessions as well.
        """
        if not self._tokens.has_public_key:
            return None
        key, now = (claims["id"], claims["ver"], host), self._tokens.now()
        issued_at, assertion = self._issued.get(key, (0, ""))
        if not issued_at <= now <= issued_at + _REUSED_SECONDS:
            assertion = self._tokens.sign_document(
                {
                    "aud": host,
                    "sub": claims["sub"],
                    "username": claims["username"],
                    "roles": claims["roles"],
                    "iat": now,
                    "exp": now + SECONDS,
                },
                typ=TYPE,
            )
            self._issued[key] = now, assertion
            self._issued.move_to_end(key)
            if len(self._issued) > _REMEMBERED:
                self._issued.popitem(last=False)
        return assertion
