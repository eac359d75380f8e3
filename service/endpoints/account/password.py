"""One's own password: `POST /auth/account/password`, and the page `/account/password`."""

from aiohttp import web

from service import errors, schemas
from service.credentials import passwords
from service.parsing import urls
from service.session import (
    credential_change,
    known_device,
    own_account,
    password,
    recent_sign_in,
)
from service.web import context, field_faults, responses, scripts, submitted

_PAGE = "/account/password"
_TOO_OLD = "Your sign-in was more than 10 minutes ago. Confirm that it is you."
_LABELS = {"password": "The new password", "current": "The current password"}


async def form(request: web.Request) -> web.Response:
    """GET /account/password: the form. It asks for the current password if that is needed.

    Without a password and a recent sign-in, it leads to the sign-in and back.
    """
    claims = context.identity(request)
    phc = await passwords.find(request.app[context.DATABASE], claims["id"])
    if phc is None and not recent_sign_in.is_recent(request):
        return responses.redirect(recent_sign_in.sign_in_link(_PAGE))
    return _show(request, has_password=phc is not None)


async def change(request: web.Request) -> web.Response:
    """POST /auth/account/password: sets the caller's password, by JSON or by the form.

    Ends all other sessions of the user; this one goes on with a new cookie.
    """
    if not submitted.is_form(request):
        return await _change(request, await submitted.json(request), web.Response(status=204))
    given = schemas.form(await submitted.form(request))
    try:
        return await _change(request, given, responses.redirect("/account?done=password-set", 303))
    except errors.Problem as problem:
        if problem.status < 500 and not isinstance(problem, errors.Unauthenticated):
            problem.page = await _show_again(request, problem)
        raise


async def _change(request: web.Request, given: object, response: web.Response) -> web.Response:
    """Set the password and add the new cookie to the response."""
    config, claims = request.app[context.CONFIG], context.identity(request)
    rules = schemas.PasswordRules(
        config.password_min_length, claims["username"], urls.host_of(config.public_url)
    )
    wanted = schemas.password_change(given, rules)
    await recent_sign_in.require(request, wanted.current)
    phc = await request.app[password.HASHER].hash(wanted.password)
    async with own_account.changing(request) as (tx, by, user):
        await passwords.save(tx, by, user, phc)
        begun = await credential_change.end_other_sessions(request, tx, user)
    credential_change.set_cookie(request, begun, response)
    response.headers.add("Set-Cookie", known_device.remember(request, user["id"]))
    return response


async def _show_again(request: web.Request, problem: errors.Problem) -> web.Response:
    """Return the form with the faults of what was sent. Passwords are not kept."""
    faults = field_faults.of(problem, _LABELS)
    phc = await passwords.find(request.app[context.DATABASE], context.identity(request)["id"])
    if isinstance(problem, errors.ReauthenticationRequired):
        is_wrong = problem.detail != errors.ReauthenticationRequired.detail
        text = problem.detail if is_wrong else _TOO_OLD
        faults = (
            field_faults.Faults(above=_TOO_OLD)
            if phc is None
            else field_faults.Faults(beside={"current": text})
        )
    return _show(request, has_password=phc is not None, faults=faults)


def _show(
    request: web.Request, *, has_password: bool, faults: field_faults.Faults = field_faults.NONE
) -> web.Response:
    config = request.app[context.CONFIG]
    is_recent = recent_sign_in.is_recent(request)
    return responses.page(
        request,
        "account/password.html",
        headers=scripts.policy(config),
        claims=context.identity(request),
        has_password=has_password,
        needs_current=has_password and not is_recent,
        sign_in_link=None if is_recent else recent_sign_in.sign_in_link(_PAGE),
        least=config.password_min_length,
        faults=faults,
    )


ROUTES = (
    web.get(_PAGE, form),
    web.post("/auth/account/password", change),
)
