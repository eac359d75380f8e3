"""Callbacks whose attempt is spent: after Back, a reload, or with many tabs at once.

The attempt was used, or its cookie is gone. Such a callback starts no session. If there is one
already, the browser goes on to where the sign-in leads to.
"""

from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.login.sso import attempt, attempt_cookies
from service.parsing import urls
from service.web import accept, context, responses

SPENT = (errors.AttemptUnknown, errors.AttemptUsed)
_LANDED = "landed"
_ANSWERED = "answered"


def has_landed(request: web.Request) -> bool:
    """Return whether a page of ours sent the browser here, to look for its session only."""
    return _LANDED in request.query


async def respond(  # noqa: PLR0913  # what a callback knows
    request: web.Request,
    problem: errors.Problem,
    method: str,
    reference: str,
    *,
    parameter: str,
    start: str,
    has_answer: bool,
) -> web.Response:
    """Return the redirect of a spent attempt, or raise its problem.

    With a session, the redirect leads to where the sign-in leads to. A browser may withhold the
    `Strict` cookie after a redirect from the provider: then the page of the problem leads here
    again, once. `parameter` is the name of the parameter with the reference.

    Without a session, an attempt that gave way to newer ones of this browser starts again, if the
    provider sent an answer (`has_answer`). `start` is the path of a new attempt.
    """
    location = attempt.goal(request, method, reference)
    if await session.authenticate_optional(request) is not None:
        context.log(request, "attempt_spent", code=problem.code)
        response = responses.redirect(location)
        if attempt.is_kept(request, method, reference):
            for line in attempt_cookies.forget(request, method, attempt.id_of(reference)):
                response.headers.add("Set-Cookie", line)
        return response
    if not has_landed(request) and not await session.is_signed_out(request):
        query = {parameter: reference, _LANDED: "1", **({_ANSWERED: "1"} if has_answer else {})}
        problem.refresh = f"{request.path}?{urlencode(query)}"
        if session.withholds_cookie(request) and accept.prefers_html(request.headers):
            problem.page = responses.page(request, "moving.html", location=problem.refresh)
        raise problem
    has_answer = has_answer or (has_landed(request) and _ANSWERED in request.query)
    if has_answer and location != urls.HOME and attempt.has_others(request, method, reference):
        return responses.redirect(f"{start}?{urlencode({'next': location})}")
    raise problem
