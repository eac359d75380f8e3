"""The body of an error answer: JSON for programs, a page for browsers."""

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from service import errors
from service.web import accept
from service.web.templates import CONTENT_TYPE, Templates


def explain(
    response: web.Response,
    problem: errors.Problem,
    headers: CIMultiDictProxy[str],
    *,
    templates: Templates,
    request_id: str,
    path: str = "",
) -> None:
    """Set the body of `response`, for a request with `headers`.

    The page has a link to sign in and come back to `path`, if the problem is a missing sign-in.
    """
    if not accept.prefers_html(headers):
        response.body = errors.as_json(problem)
        response.headers["Content-Type"] = errors.CONTENT_TYPE
        return
    if problem.page is not None:
        page: web.Response = problem.page
        response.body = page.body
        response.headers.update(page.headers)
        return
    text = templates.render("error.html", problem=problem, request_id=request_id, path=path)
    response.body = text.encode()
    response.headers["Content-Type"] = CONTENT_TYPE


def accepting(accepted: str) -> CIMultiDictProxy[str]:
    """Return headers with only `Accept`."""
    return CIMultiDictProxy(CIMultiDict({"Accept": accepted} if accepted else {}))
