"""Exchange the session cookie for a bearer token: `/auth/token`."""

from aiohttp import web

from service.web import context, responses


async def token(request: web.Request) -> web.Response:
    """GET /auth/token: another token of the caller's session, with the same expiry at most."""
    tokens = request.app[context.TOKENS]
    fresh, claims = tokens.exchange(context.request_info(request).token, context.identity(request))
    return responses.json(
        {"token": fresh, "token_type": "Bearer", "expires_in": claims["exp"] - tokens.now()}
    )


ROUTES = (web.get("/auth/token", token),)
