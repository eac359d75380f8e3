"""Sign-in by password: `POST /auth/password`."""

from aiohttp import web

from service import errors, schemas, session
from service.login import second_factor as second_step
from service.session import known_device, password, second_factor
from service.web import access, responses, sign_in_page, submitted


@access.public
async def sign_in(request: web.Request) -> web.Response:
    """POST /auth/password: signs in with a user name and a password, as JSON or as a form."""
    is_form = submitted.is_form(request)
    sent = schemas.form(await submitted.form(request)) if is_form else await submitted.json(request)
    location = session.safe_next(request, [_text(sent, "next")])
    passed: password.Passed | None = None
    try:
        given = schemas.password_sign_in(sent)
        passed = await password.check(request, given.username, given.password)
        user, amr = await second_factor.complete(request, passed, given.otp or None)
    except errors.Problem as problem:
        if is_form and passed is not None and isinstance(problem, second_step.SHOWN):
            await second_step.show(request, problem, passed.user, location)
        elif is_form:
            problem.page = await sign_in_page.show(
                request, location=location, username=_text(sent, "username"), problem=problem
            )
        raise
    begun = session.start(request, user, amr=amr)
    response = (
        session.redirect(request, begun, location)
        if is_form
        else session.answer(request, begun, responses.json(session.caller(begun.claims)))
    )
    response.headers.add("Set-Cookie", known_device.remember(request, user["id"]))
    return response


def _text(sent: object, name: str) -> str:
    """Return a submitted text, valid or not, '' if there is none."""
    value = sent.get(name) if isinstance(sent, dict) else None
    return value if isinstance(value, str) else ""


ROUTES = (web.post("/auth/password", sign_in),)
