"""Helpers of the admin pages: security policy, query parameters, success messages."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from service import errors, schemas
from service.endpoints.admin.form_errors import NONE, Faults
from service.endpoints.api import requests
from service.web import context, responses

# The policy of all pages, and a script from this site that may only request this site.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DONE = {
    "user-created": "The user was created.",
    "user-saved": "The user was saved.",
    "user-signed-out": "All sessions of this user have ended.",
    "user-totp-reset": "The user has no one-time codes now, and all sessions have ended.",
    "user-deleted": "The user was deleted.",
    "account-linked": "The account was linked.",
    "account-unlinked": "The account was unlinked, and its sessions have ended.",
    "invitation-revoked": "The invitation was revoked.",
    "role-created": "The role was created.",
    "role-deleted": "The role was deleted.",
}

Given = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The query parameters of a page without blank ones, and the success message to show."""

    given: Given
    done: str = ""

    def text(self, name: str) -> str:
        """Return the value of a parameter, '' if it is missing or repeated."""
        value = self.given.get(name, "")
        return value if isinstance(value, str) else ""

    def link(self, path: str, **changes: str | None) -> str:
        """Return the address of a page with these parameters and `changes`; None removes one."""
        query = {name: value for name, value in {**self.given, **changes}.items() if value}
        return f"{path}?{urlencode(query, doseq=True)}" if query else path


def asked(request: web.Request, *, blank: Collection[str] = ()) -> Asked:
    """Read the query of a page. Parameters named in `blank` are dropped if they are empty."""
    return Asked(
        {
            name: value
            for name, value in requests.query(request).items()
            if value or name not in blank
        }
    )


def asked_and_done(request: web.Request, *, blank: Collection[str] = ()) -> Asked:
    """Read the query of a page that shows a success message, named by `done`.

    Raises ValidationError if `done` is unknown.
    """
    found = asked(request, blank=blank)
    given = {name: value for name, value in found.given.items() if name != "done"}
    done = found.given.get("done")
    if done is None:
        return found
    if not isinstance(done, str) or done not in _DONE:
        message = f"must be one of {', '.join(_DONE)}"
        raise errors.ValidationError(errors=[{"attribute": "done", "message": message}])
    return Asked(given, _DONE[done])


def only_done(request: web.Request) -> str:
    """Return the success message of a page without other parameters. Raises ValidationError."""
    found = asked_and_done(request)
    schemas.nothing(found.given)
    return found.done


def show(
    request: web.Request, template: str, *, done: str = "", faults: Faults = NONE, **values: object
) -> web.Response:
    """Return a page."""
    return responses.page(
        request,
        f"admin/{template}",
        headers={"Content-Security-Policy": _POLICY},
        claims=context.identity(request),
        has_links=request.app[context.CONFIG].has_links,
        done=done,
        faults=faults,
        **values,
    )


def go_on(path: str, done: str) -> web.Response:
    """Return the redirect after a form was processed; the target shows the message `done`."""
    assert done in _DONE  # noqa: S101  # an argument in our own code
    return responses.redirect(f"{path}?done={done}", 303)
