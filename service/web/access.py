"""Decorators of handlers: access rules, checks and error answers."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from service import errors

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Handler)
_PUBLIC = "latchkey_public"
_COOKIELESS = "latchkey_cookieless"
_NEEDS = "latchkey_needs"
_REFUSES = "latchkey_refuses"
_CHECKS = "latchkey_checks"
_ANY_METHOD = "latchkey_any_method"

Check = Callable[[web.Request], object]
"""Raises a Problem if a request is invalid for a route, regardless of the caller."""

Refusal = Callable[[web.Request, errors.Problem, web.Response], bool]
"""Changes the answer for a problem, which already has its status and challenge.

Returns whether the answer is complete. If not, the problem becomes the body.
"""


def public(handler: _H) -> _H:
    """Open a route without authentication. All other routes need a signed-in caller."""
    setattr(handler, _PUBLIC, True)
    return handler


def is_public(handler: object) -> bool:
    """Return whether a handler is `public`."""
    return getattr(handler, _PUBLIC, False)


def csrf_exempt(handler: _H) -> _H:
    """Allow cross-site requests, for a handler that never reads our cookie."""
    setattr(handler, _COOKIELESS, True)
    return handler


def is_csrf_exempt(handler: object) -> bool:
    """Return whether a handler is `csrf_exempt`."""
    return getattr(handler, _COOKIELESS, False)


def requires_role(role: str) -> Callable[[_H], _H]:
    """Require that callers have `role`."""

    def mark(handler: _H) -> _H:
        setattr(handler, _NEEDS, role)
        return handler

    return mark


def required_role(handler: object) -> str | None:
    """Return the role of `requires_role`, or None."""
    return getattr(handler, _NEEDS, None)


def precheck(check: Check) -> Callable[[_H], _H]:
    """Run a check of the request before authentication."""

    def mark(handler: _H) -> _H:
        setattr(handler, _CHECKS, check)
        return handler

    return mark


def first_check(handler: object) -> Check | None:
    """Return the check of `precheck`, or None."""
    return getattr(handler, _CHECKS, None)


def on_error(say: Refusal) -> Callable[[_H], _H]:
    """Let a route change its error answers. Other routes answer with a problem or a page."""

    def mark(handler: _H) -> _H:
        setattr(handler, _REFUSES, say)
        return handler

    return mark


def refusal(handler: object) -> Refusal | None:
    """Return the function of `on_error`, or None."""
    return getattr(handler, _REFUSES, None)


def any_method(handler: _H) -> _H:
    """Treat every method as GET: the handler changes nothing, and the body is not read."""
    setattr(handler, _ANY_METHOD, True)
    return handler


def is_any_method(handler: object) -> bool:
    """Return whether a handler has `any_method`."""
    return getattr(handler, _ANY_METHOD, False)
