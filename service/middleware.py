"""Wraps every route: authentication, role and CSRF checks, body limits, errors.

It is bound to each route at startup, because aiohttp's list of middlewares costs time for each
request, compared with the check of a token.
"""

import asyncio
import functools
from collections.abc import Callable
from time import perf_counter

from aiohttp import web
from multidict import CIMultiDict

from service import errors, session
from service.config import Config
from service.limits.client_limits import BODY_BYTES
from service.telemetry import logs
from service.web import access, context, cross_origin, error_pages
from service.web.body import BodyGivenUp

Stamp = Callable[[web.BaseRequest, web.StreamResponse], None]

_BODY_SECONDS = 10
QUICK_SECONDS = 0.5
"""If a request takes longer, the caller's session is checked again before the answer."""
CONTENT_TYPE_LENGTH = 256
"""The maximum length of Content-Type, on every route. Usual values have up to 60 characters."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def before(route: web.RouteDef) -> web.RouteDef:
    """Return the route with all checks in front of its handler.

    Closed by default: a route without `public` needs a valid credential, and the role of
    `requires_role`.
    """
    handler: access.Handler = route.handler
    rules = access.rules(handler)
    is_closed, role = not rules.public, rules.role
    read_credential = rules.credential or session.credential
    is_safe = rules.any_method or route.method in _SAFE_METHODS or rules.csrf_exempt
    # Changes check the session again in their own transaction.
    asks_again = is_closed and is_safe
    shared = cross_origin.sharing(route.path)

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        call = context.start_request(request)
        response: web.StreamResponse
        try:
            if rules.precheck is not None:
                rules.precheck(request)
            if is_closed:
                call.token = read_credential(request)
                call.claims = await session.authenticate(request, call.token)
            if role is not None:
                session.require_role(context.identity(request), role)
            if not is_safe:
                _check_same_site(request, shared)
            if not rules.any_method and await _has_read_body(request) and is_closed:
                await _identify_again(request, role)
            response = await handler(request)
            while asks_again and _took_long(call) and await _identify_again(request, role):
                response = await handler(request)
        except Exception as error:  # noqa: BLE001  # the client must get an answer
            problem = await _shown_to(request, rules, _problem_of(request, error))
            response = refuse(request, problem, rules.on_error)
            # Both tracebacks refer to this frame, which refers to them: the request would stay in
            # memory until the collector runs, which counts objects, not bytes.
            error.__traceback__ = problem.__traceback__ = None
        if shared is not None:
            cross_origin.share(request, response, shared)
        return response

    return web.RouteDef(route.method, route.path, answer, route.kwargs)


def _took_long(call: context.RequestInfo) -> bool:
    return perf_counter() - call.started > QUICK_SECONDS


async def _identify_again(request: web.Request, role: str | None) -> bool:
    """Authenticate again after a slow request. Return whether the user has changed.

    Raises the errors of the first check, if the session has ended or the role was revoked.
    """
    call = context.request_info(request)
    before = context.identity(request)
    now = call.claims = await session.authenticate(request, call.token)
    if role is not None:
        session.require_role(now, role)
    return bool(now["ver"] != before["ver"])


async def _shown_to(
    request: web.Request, rules: access.Rules, problem: errors.Problem
) -> errors.Problem:
    """Return a problem. If its page shows data, and took long, the session may have ended since."""
    if problem.page is None or rules.public or not _took_long(context.request_info(request)):
        return problem
    try:
        await _identify_again(request, rules.role)
    except errors.Problem as ended:
        return ended
    return problem


def _problem_of(request: web.Request, error: Exception) -> errors.Problem:
    """Return the problem for an error. Log unexpected errors."""
    if isinstance(error, errors.Problem):
        return error
    if isinstance(error, web.HTTPException):
        return from_http(error)
    logs.unexpected(error, id=context.request_info(request).id)
    return errors.Problem()


def refuse(
    request: web.Request, problem: errors.Problem, on_error: access.OnError | None = None
) -> web.Response:
    """Return the answer for a problem, count it and log it. `say` may change the answer."""
    request.app[context.METRICS].refused(problem.code)
    if problem.status != 404:
        level = logs.ERROR if problem.status >= 500 else logs.INFO
        reason = None if problem.__cause__ is None else repr(problem.__cause__)
        context.log(
            request, "refused", level=level, code=problem.code, status=problem.status, reason=reason
        )
    response = web.Response(status=problem.status, headers=problem.headers)
    for line in problem.cookies:
        response.headers.add("Set-Cookie", line)
    if isinstance(problem, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = _challenge(problem)
    if on_error is None or not on_error(request, problem, response):
        info = context.request_info(request)
        error_pages.explain(
            response,
            problem,
            request.headers,
            templates=request.app[context.TEMPLATES],
            about=error_pages.About(
                request_id=info.id,
                path="" if access.rules(request.match_info.handler).public else request.path,
                claims=info.claims,
            ),
        )
    return response


def from_http(error: web.HTTPException) -> errors.Problem:
    """Return our problem for an error of aiohttp, whose text may repeat the request."""
    kind = errors.BY_STATUS.get(error.status, errors.BadRequest)
    allow = error.headers.get("Allow")
    return kind(headers=None if allow is None else {"Allow": allow})


def stamp(config: Config) -> Stamp:
    """Return a function that sets the common headers of an answer."""
    forms = " ".join(("'self'", *sorted(config.form_origins)))
    always = CIMultiDict(
        {
            "Server": "latchkey",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
    )
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self';"
        f" form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )

    def add_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
        headers = response.headers
        headers.extend(always)
        headers.setdefault("Content-Security-Policy", policy)
        headers["X-Request-ID"] = context.request_info(request).id
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"

    return add_headers


def _check_same_site(request: web.Request, shared: cross_origin.Sharing | None) -> None:
    """Reject requests of other origins, except with a bearer token, which they cannot send.

    On the paths that are shared with them, the origins of CORS_ORIGINS may use the cookie.
    """
    if session.bearer_token(request) is not None or not session.has_foreign_source(request):
        return
    if shared != "listed" or not cross_origin.is_listed(request):
        raise errors.CrossSite


async def _has_read_body(request: web.Request) -> bool:
    """Read the body within the limits of size and time, so that no handler waits for it."""
    if len(request.headers.get("Content-Type", "")) > CONTENT_TYPE_LENGTH:
        raise errors.ContentTypeUnsupported("Send a shorter Content-Type.")
    if not request.can_read_body:
        return False
    if "Content-Encoding" in request.headers:
        raise errors.EncodingUnsupported
    if (request.content_length or 0) > BODY_BYTES:
        raise errors.BodyTooLarge
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            await request.read()
    except (TimeoutError, BodyGivenUp):
        raise errors.BodyTimeout from None
    except (web.RequestPayloadError, ConnectionError):
        raise errors.BadRequest from None
    return True


def _challenge(problem: errors.Unauthenticated) -> str:
    """Return the challenge (RFC 6750 section 3). Without a token it has no error code."""
    if not problem.about_token:
        return "Bearer"
    return f'Bearer error="invalid_token", error_description="{problem.title}"'
