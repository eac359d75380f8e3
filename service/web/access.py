"""The marks of a handler: who its route is open to, and what it has a say in."""

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
"""Raises a Problem if a request is not one that a route answers, whoever sends it."""

Refusal = Callable[[web.Request, errors.Problem, web.Response], bool]
"""Says in an answer, which has status and challenge, what stands against a request.

It returns whether that is all; if not, the problem itself follows as the body.
"""


def public(handler: _H) -> _H:
    """Open a route to everybody. A route without this mark needs a signed-in caller."""
    setattr(handler, _PUBLIC, True)
    return handler


def is_public(handler: object) -> bool:
    """Tell whether a handler carries the mark of `public`."""
    return getattr(handler, _PUBLIC, False)


def csrf_exempt(handler: _H) -> _H:
    """Let other sites ask: a handler that never looks at our cookie cannot be misled by it."""
    setattr(handler, _COOKIELESS, True)
    return handler


def is_csrf_exempt(handler: object) -> bool:
    """Tell whether a handler carries the mark of `cookieless`."""
    return getattr(handler, _COOKIELESS, False)


def requires_role(role: str) -> Callable[[_H], _H]:
    """Open a route to callers who have `role`, and to nobody else."""

    def mark(handler: _H) -> _H:
        setattr(handler, _NEEDS, role)
        return handler

    return mark


def required_role(handler: object) -> str | None:
    """Return the role that a handler's mark `needs` names."""
    return getattr(handler, _NEEDS, None)


def precheck(check: Check) -> Callable[[_H], _H]:
    """Let a route look at a request before anybody asks who calls."""

    def mark(handler: _H) -> _H:
        setattr(handler, _CHECKS, check)
        return handler

    return mark


def first_check(handler: object) -> Check | None:
    """Return what a handler's mark `checking` names."""
    return getattr(handler, _CHECKS, None)


def on_error(say: Refusal) -> Callable[[_H], _H]:
    """Let a route have a say in how it refuses; the others answer with a problem or a page."""

    def mark(handler: _H) -> _H:
        setattr(handler, _REFUSES, say)
        return handler

    return mark


def refusal(handler: object) -> Refusal | None:
    """Return what a handler's mark `refusing` names."""
    return getattr(handler, _REFUSES, None)


def any_method(handler: _H) -> _H:
    """Answer every method as GET is answered: nothing changes, and the body is not waited for."""
    setattr(handler, _ANY_METHOD, True)
    return handler


def is_any_method(handler: object) -> bool:
    """Tell whether a handler carries the mark of `as_any_method`."""
    return getattr(handler, _ANY_METHOD, False)
