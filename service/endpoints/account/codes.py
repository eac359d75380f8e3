"""The caller's one-time codes: `/auth/account/totp`, and the page `/account/codes`."""

from aiohttp import web

from service import errors, schemas
from service.credentials import totp
from service.credentials.totp import Setup
from service.session import own_account, recent_sign_in, second_factor
from service.web import codes_page, context, responses, submitted

_API = "/auth/account/totp"
_PAGE = "/account/codes"
_CONFIRM = f"{_PAGE}/confirm"
_WRONG = "is wrong or has expired: enter the newest code of the app"
_WRONG_ON_PAGE = "The code is wrong or has expired. Enter the newest code of the app."


async def start(request: web.Request) -> web.Response:
    """POST /auth/account/totp: starts a set-up. Codes that are in use stay so until it ends."""
    given = schemas.reauthentication(await _optional_json(request))
    started = await _start(request, given.current)
    return responses.json({"secret": started.secret, "uri": started.uri})


async def confirm(request: web.Request) -> web.Response:
    """POST /auth/account/totp/confirm: ends the set-up. The codes are required from now on."""
    given = schemas.code_setup(await submitted.json(request))
    return responses.json({"recovery_codes": await _confirm(request, given.code, given.current)})


async def delete(request: web.Request) -> web.Response:
    """DELETE /auth/account/totp: removes the codes and the recovery codes."""
    given = schemas.reauthentication(await _optional_json(request))
    await _delete(request, given.current)
    return web.Response(status=204)


async def page(request: web.Request) -> web.Response:
    """GET /account/codes: whether codes are set up, and the forms to change that."""
    user_id = context.identity(request)["id"]
    async with request.app[context.LOOKUPS]:
        state = await totp.find(request.app[context.DATABASE], user_id)
    is_recent = recent_sign_in.is_recent(request)
    return responses.page(
        request,
        "account/codes.html",
        state=state,
        is_required=request.app[context.CONFIG].second_factor == "required",
        sign_in_link=None if is_recent else recent_sign_in.sign_in_link(_PAGE),
    )


async def start_on_page(request: web.Request) -> web.Response:
    """POST /account/codes: starts a set-up, and shows the QR code."""
    given = schemas.reauthentication(schemas.form(await submitted.form(request)))
    try:
        return _setup_page(request, await _start(request, given.current))
    except errors.ReauthenticationRequired as problem:
        _lead_back(problem)
        raise


async def confirm_on_page(request: web.Request) -> web.Response:
    """POST /account/codes/confirm: ends the set-up, and shows the recovery codes."""
    fields = await submitted.form(request)
    try:
        given = schemas.code_setup(schemas.form(fields))
        codes = await _confirm(request, given.code, given.current)
    except errors.ReauthenticationRequired as problem:
        _lead_back(problem)
        raise
    except errors.OtpSetupMissing as problem:
        problem.links = {"One-time codes": _PAGE}
        raise
    except errors.ValidationError as problem:
        started = await _started(request)
        if started is not None:
            problem.page = _setup_page(request, started, fault=_WRONG_ON_PAGE)
        raise
    return codes_page.recovery_codes(request, codes, location=_PAGE)


async def delete_on_page(request: web.Request) -> web.Response:
    """POST /account/codes/delete: removes the codes, and shows the page again."""
    given = schemas.reauthentication(schemas.form(await submitted.form(request)))
    try:
        await _delete(request, given.current)
    except errors.ReauthenticationRequired as problem:
        _lead_back(problem)
        raise
    return responses.redirect(_PAGE, 303)


async def _start(request: web.Request, current: str | None) -> Setup:
    await recent_sign_in.require(request, current)
    async with own_account.changing(request) as (tx, _, user):
        return await totp.start(tx, user, site=second_factor.site(request))


async def _confirm(request: web.Request, code: str, current: str | None) -> list[str]:
    """Confirm a set-up, which proves a recent sign-in: it was started after one.

    Raises ValidationError for a wrong code, OtpSetupMissing, ReauthenticationRequired.
    """
    if await _started(request) is None:
        await recent_sign_in.require(request, current)
        raise errors.OtpSetupMissing
    async with own_account.changing(request) as (tx, by, user):
        site = second_factor.site(request)
        started = await totp.setup(tx, user["id"], user["username"], site=site)
        if started is None:
            raise errors.OtpSetupMissing
        now = request.app[context.TOKENS].now()
        codes = await totp.confirm(tx, by, user, started, code=code, now=now)
        if codes is None:
            raise errors.ValidationError(errors=[{"attribute": "code", "message": _WRONG}])
        return codes


async def _delete(request: web.Request, current: str | None) -> None:
    await recent_sign_in.require(request, current)
    async with own_account.changing(request) as (tx, by, user):
        await totp.delete(tx, by, user)


async def _started(request: web.Request) -> Setup | None:
    claims, site = context.identity(request), second_factor.site(request)
    async with request.app[context.LOOKUPS]:
        return await totp.setup(
            request.app[context.DATABASE], claims["id"], claims["username"], site=site
        )


def _setup_page(request: web.Request, started: Setup, *, fault: str = "") -> web.Response:
    return codes_page.setup(request, started, action=_CONFIRM, fault=fault)


def _lead_back(problem: errors.ReauthenticationRequired) -> None:
    problem.links = {"Sign in again": recent_sign_in.sign_in_link(_PAGE)}


async def _optional_json(request: web.Request) -> object:
    """Return the JSON value of the body, {} for none."""
    return await submitted.json(request) if await request.read() else {}


ROUTES = (
    web.post(_API, start),
    web.post(f"{_API}/confirm", confirm),
    web.delete(_API, delete),
    web.get(_PAGE, page),
    web.post(_PAGE, start_on_page),
    web.post(_CONFIRM, confirm_on_page),
    web.post(f"{_PAGE}/delete", delete_on_page),
)
