"""The access rules of a route, set on its handler by decorators.

A route is closed by default: without `public` it requires a signed-in caller.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from aiohttp import web

from service import errors

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Handler)
_RULES = "latchkey_rules"

Check = Callable[[web.Request], object]
"""Raises a Problem for a request that the route refuses, regardless of the credentials."""

Credential = Callable[[web.Request], str]
"""Returns the caller's token. Raises Unauthenticated."""

OnError = Callable[[web.Request, errors.Problem, web.Response], bool]
"""Completes the error response, which has a status and a challenge.

It returns True if the response is complete. Otherwise the problem itself becomes the body.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the middleware does before and after a handler."""

    public: bool = False
    """Anyone may call it. Otherwise the caller must be signed in."""
    role: str | None = None
    """The role that the caller must have."""
    csrf_exempt: bool = False
    """Other sites may send requests, because the handler never reads the session cookie."""
    any_method: bool = False
    """Every method is handled like GET: nothing changes, and the body is not read."""
    precheck: Check | None = None
    credential: Credential | None = None
    """Reads the caller's token. By default, it is the bearer token or else the cookie."""
    on_error: OnError | None = None


def rules(handler: object) -> Rules:
    """Return the rules of a handler."""
    found: Rules = getattr(handler, _RULES, Rules())
    return found


def public(handler: _H) -> _H:
    """Open a route to everyone."""
    return _set(handler, public=True)


def csrf_exempt(handler: _H) -> _H:
    """Accept requests from other sites. Only for a handler that never reads the session cookie."""
    return _set(handler, csrf_exempt=True)


def any_method(handler: _H) -> _H:
    """Handle every method like GET."""
    return _set(handler, any_method=True)


def requires_role(role: str) -> Callable[[_H], _H]:
    """Open a route only to callers with a role."""
    return lambda handler: _set(handler, role=role)


def precheck(check: Check) -> Callable[[_H], _H]:
    """Check a request before the caller is authenticated."""
    return lambda handler: _set(handler, precheck=check)


def reads_credential(read: Credential) -> Callable[[_H], _H]:
    """Read the caller's token in another way than other routes do."""
    return lambda handler: _set(handler, credential=read)


def on_error(complete: OnError) -> Callable[[_H], _H]:
    """Let a route complete its error responses. Others get a problem or a page."""
    return lambda handler: _set(handler, on_error=complete)


def _set(handler: _H, **changes: Any) -> _H:
    setattr(handler, _RULES, replace(rules(handler), **changes))
    return handler
