"""The body of an error answer: JSON for programs, a page for browsers."""

from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from service import errors
from service.tokens.claims import Claims
from service.web import accept
from service.web.templates import CONTENT_TYPE, Templates

_ELSEWHERE = (
    "default-src 'none'; style-src {site}; img-src {site}; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""The Content-Security-Policy of a page on another host, whose links lead to ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an error page shows of a request.

    A refused caller, with `claims`, can sign in and come back to `path`. `site` is our origin, for
    a page that a proxy shows on another host.
    """

    request_id: str
    path: str = ""
    claims: Claims | None = None
    site: str = ""


def explain(
    response: web.Response,
    problem: errors.Problem,
    headers: CIMultiDictProxy[str],
    *,
    templates: Templates,
    about: About,
) -> None:
    """Set the body of `response`, for a request with `headers`."""
    if not accept.prefers_html(headers):
        response.body = errors.as_json(problem)
        response.headers["Content-Type"] = errors.CONTENT_TYPE
        return
    if problem.page is not None:
        page: web.Response = problem.page
        response.body = page.body
        response.headers.update(page.headers)
        return
    text = templates.render(
        "error.html",
        problem=problem,
        request_id=about.request_id,
        path=about.path,
        claims=about.claims,
        site=about.site,
    )
    response.body = text.encode()
    if about.site:
        response.headers["Content-Security-Policy"] = _ELSEWHERE.format(site=about.site)
    response.headers["Content-Type"] = CONTENT_TYPE


def accepting(accepted: str) -> CIMultiDictProxy[str]:
    """Return headers with only `Accept`."""
    return CIMultiDictProxy(CIMultiDict({"Accept": accepted} if accepted else {}))
