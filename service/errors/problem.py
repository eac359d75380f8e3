"""What every failure has: an HTTP status, a stable code, and words that say what to do."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import orjson

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal: HTTP `status`, stable `code`, `title`, and a `detail` that says what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong here"
    detail: str = "The request failed. The log of the service has the reason, by the request id."

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Take a detail for this occasion, and the faults, `{"attribute", "message"}` each.

        `facts` are for whoever has to help: further members of the answer (RFC 9457 section 3.2).
        """
        self.detail = detail or type(self).detail
        self.headers = dict(headers or {})
        self.errors = [dict(error) for error in errors]
        self.facts = dict(facts or {})
        self.links: dict[str, str] = {}
        super().__init__(self.code)


def as_json(problem: Problem) -> bytes:
    """Return the body of RFC 9457 section 3, with our `code`, and `errors` if there are several."""
    facts: dict[str, object] = {
        **problem.facts,
        "type": f"urn:latchkey:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors:
        facts["errors"] = problem.errors
    return orjson.dumps(facts)


class Fault(Exception):
    """What a person at the command line has to mend: one message, no traceback."""
