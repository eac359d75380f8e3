"""Sign-in by passkey: `POST /auth/passkey/options`, `POST /auth/passkey`."""

from aiohttp import web

from service import schemas, session
from service.session import known_device, passkey
from service.web import access, context, responses, submitted


@access.public
async def options(request: web.Request) -> web.Response:
    """POST /auth/passkey/options: what to ask an authenticator for."""
    return responses.json(passkey.request_options(request))


@access.public
async def sign_in(request: web.Request) -> web.Response:
    """POST /auth/passkey: signs in by the answer of an authenticator."""
    passkey.party(request)
    given = schemas.passkey_sign_in(await submitted.json(request))
    user, begun = await passkey.sign_in(request, given.credential)
    location = session.safe_next(request, [given.next or ""])
    response = session.answer(request, begun, responses.json({"location": location}))
    if request.app[context.CONFIG].password_auth:
        response.headers.add("Set-Cookie", known_device.remember(request, user["id"]))
    return response


ROUTES = (
    web.post("/auth/passkey/options", options),
    web.post("/auth/passkey", sign_in),
)
