"""The second step of a sign-in by password: a one-time code, or the set-up that must come first."""

from aiohttp import web

from service import errors, schemas, session
from service.session import known_device, password, second_factor
from service.users import User
from service.web import access, codes_page, sign_in_page, submitted

CODE_PATH = "/auth/password/code"
SETUP_PATH = "/auth/password/setup"
_EMPTY = "Enter the code."

SHOWN = (errors.OtpRequired, errors.OtpInvalid, errors.OtpSetupRequired)
"""The errors whose page is the second step."""


async def show(request: web.Request, problem: errors.Problem, user: User, location: str) -> None:
    """Let an error of SHOWN show the page of the second step, and remember the user."""
    is_setup = isinstance(problem, errors.OtpSetupRequired)
    if is_setup:
        started = await second_factor.start_setup(request, user)
        problem.page = codes_page.setup(request, started, action=SETUP_PATH, location=location)
    else:
        fault = "" if isinstance(problem, errors.OtpRequired) else problem.detail
        problem.page = codes_page.ask(request, location=location, fault=fault)
    problem.cookies.append(second_factor.remember(request, user, is_setup=is_setup))


@access.public
async def ask(request: web.Request) -> web.Response:
    """GET /auth/password/code[?next=][&recovery=1]: asks for a code after the password."""
    location = session.next_address(request)
    recovery = request.query.getall("recovery", []) == ["1"]
    try:
        await second_factor.pending(request)
    except errors.SignInExpired as problem:
        await _start_again(request, problem, location)
        raise
    return codes_page.ask(request, location=location, recovery=recovery)


@access.public
async def enter(request: web.Request) -> web.Response:
    """POST /auth/password/code: signs in with a code after the password. A form."""
    fields = await submitted.form(request)
    location = session.safe_next(request, [value for name, value in fields if name == "next"])
    try:
        user = await second_factor.pending(request)
        given = schemas.second_factor(schemas.form(fields))
        counted = password.counted(request, user)
        user = await second_factor.check(request, user, counted, given.otp)
    except errors.SignInExpired as problem:
        await _start_again(request, problem, location)
        raise
    except (errors.OtpInvalid, errors.TooManyAttempts, errors.ValidationError) as problem:
        fault = _EMPTY if isinstance(problem, errors.ValidationError) else problem.detail
        recovery = any(name == "recovery" for name, _ in fields)
        problem.page = codes_page.ask(request, location=location, fault=fault, recovery=recovery)
        raise
    begun = session.start(request, user, amr=second_factor.PASSWORD_AND_CODE)
    return _signed_in(request, user, session.redirect(request, begun, location))


@access.public
async def confirm(request: web.Request) -> web.Response:
    """POST /auth/password/setup: confirms the set-up, signs in and shows the recovery codes."""
    fields = await submitted.form(request)
    location = session.safe_next(request, [value for name, value in fields if name == "next"])
    try:
        user = await second_factor.pending(request, is_setup=True)
        started = await second_factor.started_setup(request, user)
    except errors.SignInExpired as problem:
        await _start_again(request, problem, location)
        raise
    try:
        given = schemas.second_factor(schemas.form(fields))
        user, codes = await second_factor.confirm_setup(request, user, given.otp)
    except errors.SignInExpired as problem:
        await _start_again(request, problem, location)
        raise
    except (errors.OtpInvalid, errors.ValidationError) as problem:
        problem.page = codes_page.setup(
            request,
            started,
            action=SETUP_PATH,
            location=location,
            fault=_EMPTY if isinstance(problem, errors.ValidationError) else problem.detail,
        )
        raise
    begun = session.start(request, user, amr=second_factor.PASSWORD_AND_CODE)
    page = codes_page.recovery_codes(request, codes, location=location)
    return _signed_in(request, user, session.answer(request, begun, page))


async def _start_again(request: web.Request, problem: errors.SignInExpired, location: str) -> None:
    """Let an error show the sign-in page, and delete the cookie of the first step."""
    problem.page = await sign_in_page.show(request, location=location, problem=problem)
    problem.cookies.append(second_factor.forget(request))


def _signed_in(request: web.Request, user: User, response: web.Response) -> web.Response:
    response.headers.add("Set-Cookie", known_device.remember(request, user["id"]))
    response.headers.add("Set-Cookie", second_factor.forget(request))
    return response


ROUTES = (
    web.get(CODE_PATH, ask),
    web.post(CODE_PATH, enter),
    web.post(SETUP_PATH, confirm),
)
