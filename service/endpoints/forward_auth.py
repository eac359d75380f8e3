"""The proxy's question, may this caller pass: `/auth/verify`, alias `/oauth2/auth`."""

from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web

from service import errors, session
from service.forward_auth import original_request
from service.forward_auth.allow_responses import ALLOW_RESPONSES
from service.forward_auth.original_request import Original, Question
from service.parsing import client_address, urls
from service.telemetry import logs
from service.web import accept, access, context

_VARY = "Cookie, Authorization"


class _Asked(NamedTuple):
    """The proxy's question, and the original request if a trusted proxy names it."""

    question: Question
    original: Original | None


_ASKED = web.RequestKey("asked", _Asked)


def _read(request: web.Request) -> None:
    """Read the question. Raises ForwardInvalid, also for callers without a session."""
    question = original_request.question(request.raw_path.partition("?")[2])
    request[_ASKED] = _Asked(question, _original(request, question))


def _refused(request: web.Request, problem: errors.Problem, response: web.Response) -> bool:
    """Refuse in the proxy's words: a status, no body, and for a page the way to the sign-in.

    Caddy and Traefik pass a redirect on; nginx and HAProxy take 401 alone, and their configuration
    makes the redirect of its `Location`.
    """
    response.headers["Vary"] = _VARY
    if isinstance(problem, errors.ForwardInvalid):
        return False
    question, original = request[_ASKED]
    if isinstance(problem, errors.Unauthenticated):
        _show_the_way_in(request, question, original, response)
    return question.dialect is not None


def _show_the_way_in(
    request: web.Request, question: Question, original: Original | None, response: web.Response
) -> None:
    if original is None or not original.is_read or not _is_navigation(request):
        return
    response.headers["Location"] = _sign_in_page(request, original)
    if question.dialect is not None and question.dialect.redirects:
        response.set_status(302)
        response.headers.popall("WWW-Authenticate")


@access.any_method
@access.precheck(_read)
@access.on_error(_refused)
async def verify(request: web.Request) -> web.StreamResponse:
    """Any method, /auth/verify[?proxy=][&role=R][&all=1]: 200 with identity headers, 401 or 403."""
    question, original = request[_ASKED]
    claims = context.identity(request)
    if question.roles and not question.is_met_by([role["role"] for role in claims["roles"]]):
        raise errors.RoleMissing
    host = None if original is None else original.host
    not_before = request.app[context.REVOCATION].state.not_before
    return await request.app[ALLOW_RESPONSES].of(claims, host, not_before=not_before)


def _original(request: web.Request, question: Question) -> Original | None:
    """Return the request that a trusted proxy asks for; from anybody else we take no word of it."""
    if question.dialect is None:
        return None
    if not client_address.is_trusted(request.remote, request.app[context.CONFIG].trusted_proxies):
        context.log(request, "proxy_not_trusted", level=logs.DEBUG, peer=request.remote)
        return None
    headers = request.headers
    return question.dialect.original(lambda name: headers.getall(name, ()))


def _is_navigation(request: web.Request) -> bool:
    """Tell whether a person looks at what comes: as the browser says, else by what it prefers."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode.lower() == "navigate"
    return accept.prefers_html(request.headers)


def _sign_in_page(request: web.Request, original: Original) -> str:
    """Return the address of the sign-in page, which leads back if the address is one of ours."""
    page = f"{request.app[context.CONFIG].public_url}/auth/login"
    is_absolute = original.host is not None
    back = session.safe_next(request, [original.url]) if is_absolute else urls.HOME
    return page if back == urls.HOME else f"{page}?next={quote(back, safe='')}"


ROUTES = (
    web.route("*", "/auth/verify", verify),
    web.route("*", "/oauth2/auth", verify),
)
