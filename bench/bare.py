"""The baseline: an aiohttp application with constant answers."""

import os

import uvloop
from aiohttp import web

_COOKIE = "jwt=" + "x" * 480 + "; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=21600"
_TOKEN = b'{"token": "' + b"x" * 480 + b'", "token_type": "Bearer", "expires_in": 21600}'
_ME = b'{"id": 1, "username": "admin", "roles": [' + b"x" * 130 + b"]}"


async def sign_in(_request: web.Request) -> web.Response:
    """GET /auth/bypass."""
    return web.Response(status=302, headers={"Location": "/", "Set-Cookie": _COOKIE})


async def me(_request: web.Request) -> web.Response:
    """GET /auth/me."""
    return web.Response(body=_ME, content_type="application/json")


async def verify(_request: web.Request) -> web.Response:
    """GET /auth/verify."""
    return web.Response(body=b"ok", headers={"X-Auth-User": "admin", "X-Auth-Roles": "a,b,c"})


async def token(_request: web.Request) -> web.Response:
    """GET /auth/token."""
    return web.Response(body=_TOKEN, content_type="application/json")


def main() -> None:
    """Serve on PORT."""
    app = web.Application()
    app.router.add_get("/auth/bypass", sign_in)
    app.router.add_get("/auth/me", me)
    app.router.add_get("/auth/token", token)
    app.router.add_get("/auth/verify", verify)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


main()
