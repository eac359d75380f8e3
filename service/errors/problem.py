"""The base of all errors: an HTTP status, a stable code, a title and a detail."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """An error answer: HTTP `status`, stable `code`, `title`, and a `detail` with the remedy."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal server error"
    detail: str = "The request failed. Administrators: search the log for the request ID."

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        extensions: Mapping[str, str] | None = None,
    ) -> None:
        """Create an error answer.

        `detail` replaces the default detail of the class. `errors` are the invalid fields, each
        `{"attribute", "message"}`. `extensions` are further members (RFC 9457 section 3.2).

        Set `links`, by text, for the error page, and `cookies`, values of `Set-Cookie`. Set `page`
        to show a browser that web.Response instead of the error page, such as a form with its
        faults. Set `refresh` to a URL that the error page loads by itself.
        """
        self.detail = detail or type(self).detail
        self.headers = dict(headers or {})
        self.errors = [dict(error) for error in errors]
        self.extensions = dict(extensions or {})
        self.links: dict[str, str] = {}
        self.cookies: list[str] = []
        self.page: Any = None
        self.refresh = ""
        super().__init__(self.code)


def as_json(problem: Problem) -> bytes:
    """Return the body of RFC 9457 section 3, with `code`, and with `errors` if there are any."""
    members: dict[str, object] = {
        **problem.extensions,
        "type": f"urn:latchkey:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors:
        members["errors"] = problem.errors
    return orjson.dumps(members)


class Fault(Exception):
    """An error of a command: the command prints its message, without a traceback."""


class InvalidName(ValueError):
    """A name that no user, role, provider or account can have. Its text is the rule."""
