"""Forward authentication for reverse proxies: `/auth/verify`, alias `/oauth2/auth`."""

from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web

from service import errors, session
from service.forward_auth import original_request
from service.forward_auth.allow_responses import ALLOW_RESPONSES
from service.forward_auth.original_request import Original, Question
from service.parsing import urls
from service.telemetry import logs
from service.web import accept, access, context, error_pages

_VARY = "Cookie, Authorization"


class _Asked(NamedTuple):
    """The forward-auth request, and the original request from a trusted proxy."""

    question: Question
    original: Original | None


_ASKED = web.RequestKey("asked", _Asked)
_UNREADABLE = _Asked(original_request.question(""), None)
"""For a request that `_read` has refused."""


def _read(request: web.Request) -> None:
    """Parse the forward-auth request. Raises ForwardInvalid, regardless of the caller."""
    question = original_request.question(request.raw_path.partition("?")[2])
    request[_ASKED] = _Asked(question, _original(request, question))


def _refused(request: web.Request, problem: errors.Problem, response: web.Response) -> bool:
    """Complete the error in the proxy's dialect.

    For navigations of signed-out users, add a sign-in `Location`, if it helps. Caddy and Traefik
    pass a redirect on. nginx and HAProxy accept only 401; their configuration redirects to its
    `Location`. Other navigations get a page, which the proxies show under the application's
    address. Other requests of a named proxy get no body.
    """
    response.headers["Vary"] = _VARY
    question, original = request.get(_ASKED, _UNREADABLE)
    if isinstance(problem, errors.CookieAmbiguous):
        _warn_of_cookies(request, original)  # a sign-in would not help
    elif isinstance(problem, errors.Unauthenticated):
        _show_the_way_in(request, question, original, response)
    if "Location" in response.headers:
        return True
    if accept.prefers_html(request.headers) and _is_navigation(request):
        _explain(request, problem, original, response)
        return True
    return question.dialect is not None


def _explain(
    request: web.Request, problem: errors.Problem, original: Original | None, response: web.Response
) -> None:
    """Set the body to a page for people, with links to our own host."""
    back = urls.HOME
    if original is not None and original.is_read and original.host is not None:
        back = session.safe_next(request, [original.url])
    info = context.request_info(request)
    error_pages.explain(
        response,
        problem,
        request.headers,
        templates=request.app[context.TEMPLATES],
        about=error_pages.About(
            request_id=info.id,
            path="" if back == urls.HOME else back,
            claims=info.claims,
            site=request.app[context.CONFIG].public_url,
        ),
    )


def _show_the_way_in(
    request: web.Request, question: Question, original: Original | None, response: web.Response
) -> None:
    if original is None or not original.is_read or not _is_navigation(request):
        return
    response.headers["Location"] = _sign_in_page(request, original)
    if question.dialect is not None and question.dialect.redirects:
        response.set_status(302)
        response.headers.popall("WWW-Authenticate")


def _credential(request: web.Request) -> str:
    """Return the caller's token; with `credential=cookie`, only that of the cookie."""
    is_cookie = request[_ASKED].question.cookie_only
    return session.cookie_token(request) if is_cookie else session.credential(request)


@access.any_method
@access.precheck(_read)
@access.reads_credential(_credential)
@access.on_error(_refused)
async def verify(request: web.Request) -> web.StreamResponse:
    """Any method, /auth/verify[?proxy=][&role=R][&all=1][&credential=cookie]: 200, 401 or 403.

    A 200 has the identity headers.
    """
    question, original = request[_ASKED]
    claims = context.identity(request)
    held = {role["role"] for role in claims["roles"]}
    if question.roles and not question.is_met_by(held):
        missing = question.roles - held if question.every else question.roles
        raise errors.RoleMissing(*missing, every=question.every)
    host = None if original is None else original.host
    not_before = request.app[context.REVOCATION].state.not_before
    return await request.app[ALLOW_RESPONSES].of(claims, host, not_before=not_before)


def _original(request: web.Request, question: Question) -> Original | None:
    """Return the original request from a trusted proxy. Ignore the headers of other clients."""
    if question.dialect is None or not context.is_trusted_proxy(request):
        return None
    headers = request.headers
    return question.dialect.original(lambda name: headers.getall(name, ()))


def _is_navigation(request: web.Request) -> bool:
    """Return whether the request is a navigation, by Sec-Fetch-Mode or else by Accept."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode.lower() == "navigate"
    return accept.prefers_html(request.headers)


def _sign_in_page(request: web.Request, original: Original) -> str:
    """Return the URL of the sign-in page, with `next` if the original URL is allowed."""
    page = f"{request.app[context.CONFIG].public_url}/auth/login"
    is_absolute = original.host is not None
    if is_absolute and session.is_too_long(request, [original.url]):
        return f"{page}?too_long=1"
    back = session.safe_next(request, [original.url]) if is_absolute else urls.HOME
    if back == urls.HOME:
        _warn_of_origin(request, urls.origin_of(original.url))
    return page if back == urls.HOME else f"{page}?next={quote(back, safe='')}"


def _warn_of_origin(request: web.Request, origin: str | None) -> None:
    """Log once that people cannot come back to an application, if its origin is not allowed."""
    config = request.app[context.CONFIG]
    if origin is None or origin in {config.public_url, *config.allowed_redirects}:
        return
    if request.app[context.NOTICES].is_new("redirect_not_allowed", origin):
        context.log(
            request,
            "redirect_not_allowed",
            level=logs.WARNING,
            origin=origin,
            setting="ALLOWED_REDIRECTS",
            warning="people do not come back to this site after signing in: add its origin",
        )


def _warn_of_cookies(request: web.Request, original: Original | None) -> None:
    """Log once for each host that an application there sets a cookie with the name of ours."""
    host = (original and original.host) or ""
    if request.app[context.NOTICES].is_new("cookie_ambiguous", host):
        context.log(
            request,
            "cookie_name_shared",
            level=logs.WARNING,
            host=host,
            setting="COOKIE_NAME",
            warning="another program sets a cookie with this name: set another name",
        )


ROUTES = (
    web.route("*", "/auth/verify", verify),
    web.route("*", "/oauth2/auth", verify),
)
