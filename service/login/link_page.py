"""The page of a link: what it does, and a form for the new password."""

from typing import Any

from aiohttp import web

from service import errors, session
from service.credentials import links
from service.credentials.links import Link
from service.users import User
from service.web import context, responses, scripts

SHOWN = (errors.ValidationError, errors.UsernameTaken)
"""The problems after which the form is shown again. They do not use a link up."""
_LABELS = {"username": "The user name", "password": "The password"}


async def show(
    request: web.Request,
    link: Link,
    *,
    body: object = None,
    problem: errors.Problem | None = None,
) -> web.Response:
    """Return the page. After a refused form, `body` is what was submitted."""
    typed: dict[str, Any] = body if isinstance(body, dict) else {}
    username = typed.get("username", "")
    async with request.app[context.LOOKUPS]:
        roles = await links.roles_of(request.app[context.DATABASE], link)
    config = request.app[context.CONFIG]
    return responses.page(
        request,
        "link.html",
        headers=scripts.policy(config),
        link=link,
        action=request.path,
        roles=roles,
        username=username if isinstance(username, str) else "",
        faults=_faults(problem),
        password=config.password_auth,
        passkey=config.offers_passkeys,
        least=config.password_min_length,
        claims=await session.authenticate_optional(request),
    )


def used(request: web.Request, user: User) -> web.Response:
    """Return the page after a link that does not sign in."""
    return responses.page(request, "link_used.html", username=user["username"])


def _faults(problem: errors.Problem | None) -> dict[str, str]:
    """Return a sentence for each invalid field, and under "" one for others."""
    if problem is None:
        return {}
    if isinstance(problem, errors.UsernameTaken):
        return {"username": problem.detail}
    found: dict[str, str] = {}
    for error in problem.errors:
        name, message = error["attribute"], error["message"]
        if message[:1].islower():
            message = f"{_LABELS.get(name, name)} {message}"
        found.setdefault(
            name if name in _LABELS else "", message if message.endswith(".") else f"{message}."
        )
    return found
