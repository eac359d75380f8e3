"""The fake provider's pages and endpoints."""

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from service.fake_provider import cas, openid
from service.fake_provider.models import Client, Request, Response
from service.fake_provider.people import COOKIE, SESSIONS, BrowserSession, Person, Sessions
from service.parsing import urls
from service.telemetry import logs
from service.web.templates import Templates

_SECONDS = 5
_VIEWS = web.AppKey("views", Templates)
_OPENID = web.AppKey("openid", openid.FakeProvider)
_TICKETS = web.AppKey("tickets", cas.Tickets)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings. `url` is the URL of the provider, `app` the URL of the service."""

    url: str
    app: str
    client_id: str
    client_secret: str = field(repr=False)


_SETTINGS = web.AppKey("settings", Settings)


def create_app(settings: Settings, people: tuple[Person, ...]) -> web.Application:
    """Return the provider's application."""
    app = web.Application()
    app[_SETTINGS] = settings
    app[_VIEWS] = Templates()
    app[SESSIONS] = Sessions(people)
    app[_TICKETS] = cas.Tickets()
    client = Client(
        client_id=settings.client_id,
        secret=settings.client_secret,
        redirect_uri=f"{settings.app}/auth/oidc/callback",
        post_logout_redirect_uri=f"{settings.app}/",
    )
    app[_OPENID] = openid.FakeProvider(settings.url, client)
    app.on_response_prepare.append(_end_connection)
    app.add_routes(
        [
            web.get("/", home),
            web.post("/login", log_in),
            web.post("/logout", log_out),
            web.get("/.well-known/openid-configuration", metadata),
            web.get("/jwks.json", jwks),
            web.get("/authorize", authorize),
            web.post("/token", token),
            web.get("/userinfo", user_info),
            web.get("/end_session", end_session),
            web.get("/cas/login", cas_login),
            web.get("/cas/serviceValidate", cas_validate),
            web.get("/cas/p3/serviceValidate", cas_validate),
            web.get("/cas/logout", cas_logout),
        ]
    )
    return app


async def _end_connection(request: web.Request, response: web.StreamResponse) -> None:
    """Close a connection whose next bytes may belong to this request (decision 22)."""
    headers = request.headers
    is_odd = request.method == "CONNECT" or "Upgrade" in headers or "Transfer-Encoding" in headers
    if is_odd or not request.content.is_eof():
        response.force_close()


async def home(request: web.Request) -> web.Response:
    """GET /: the signed-in person, and a button that signs out everywhere."""
    return _page(request, "/")


async def log_in(request: web.Request) -> web.Response:
    """POST /login: signs in as the selected person and continues."""
    form = await request.post()
    cookie = request.app[SESSIONS].begin(str(form.get("username")))
    if cookie is None:
        raise web.HTTPBadRequest
    response = _redirect(urls.safe_next([str(form.get("continue", ""))], ()))
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="Lax")
    return response


async def log_out(request: web.Request) -> web.Response:
    """POST /logout: signs out and notifies all services (single logout)."""
    await _end(request)
    return _redirect("/")


async def metadata(request: web.Request) -> web.Response:
    """GET /.well-known/openid-configuration."""
    return web.json_response(request.app[_OPENID].metadata())


async def jwks(request: web.Request) -> web.Response:
    """GET /jwks.json: the public key."""
    return web.json_response({"keys": [request.app[_OPENID].key.as_dict(private=False)]})


async def authorize(request: web.Request) -> web.Response:
    """GET /authorize: redirects to the client with a code, after a sign-in."""
    session = request.app[SESSIONS].of(request)
    if session is None:
        return _page(request, request.path_qs)
    return _answer(request.app[_OPENID].authorize(await _read(request), session))


async def token(request: web.Request) -> web.Response:
    """POST /token: tokens for a code."""
    return _answer(request.app[_OPENID].create_token_response(await _read(request)))


async def user_info(request: web.Request) -> web.Response:
    """GET /userinfo: the claims for an access token."""
    bearer = request.headers.get("Authorization", "").partition(" ")[2]
    known = request.app[_OPENID].access.get(bearer)
    if known is None:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    session, scope = known
    return web.json_response(openid.claims_of(session.person, scope))


async def end_session(request: web.Request) -> web.Response:
    """GET /end_session: signs out everywhere and redirects back (RP-Initiated Logout)."""
    answer = request.app[_OPENID].create_endpoint_response("end_session", await _read(request))
    await _end(request)
    return _redirect("/") if answer is None else _answer(answer)


async def cas_login(request: web.Request) -> web.Response:
    """GET /cas/login: redirects to the service with a ticket, after a sign-in."""
    service = _service(request)
    session = request.app[SESSIONS].of(request)
    if session is None and request.query.get("gateway") == "true" and service:
        return _redirect(service)
    if session is None:
        return _page(request, request.path_qs)
    return _redirect(request.app[_TICKETS].issue(service, session) if service else "/")


async def cas_validate(request: web.Request) -> web.Response:
    """GET /cas/serviceValidate, /cas/p3/serviceValidate: validates a ticket."""
    xml = request.app[_TICKETS].validate(
        request.query.get("service", ""),
        request.query.get("ticket", ""),
        with_attributes="/p3/" in request.path,
    )
    return web.Response(text=xml, content_type="application/xml")


async def cas_logout(request: web.Request) -> web.Response:
    """GET /cas/logout: signs out everywhere and redirects to the service."""
    await _end(request)
    return _redirect(_service(request) or "/")


async def _end(request: web.Request) -> None:
    """End the browser's session and notify its services."""
    app = request.app
    session = app[SESSIONS].of(request)
    if session is None:
        return
    app[SESSIONS].end(session)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        await asyncio.gather(*(_tell(client, *call) for call in _to_tell(app, session)))


def _to_tell(app: web.Application, session: BrowserSession) -> list[tuple[str, dict[str, str]]]:
    """Return the URLs to notify about the end of a session, each with its form."""
    telling = []
    if session.told_openid:
        address = f"{app[_SETTINGS].app}/auth/oidc/logout"
        telling.append((address, {"logout_token": app[_OPENID].logout_token(session)}))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for ticket, service in session.tickets.items():
        telling.append((service, {"logoutRequest": cas.logout_request(ticket, at)}))
    return telling


async def _tell(client: aiohttp.ClientSession, address: str, form: dict[str, str]) -> None:
    where = urlsplit(address)._replace(query="").geturl()
    try:
        async with client.post(address, data=form) as response:
            logs.event("idp_told", address=where, status=response.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        logs.event("idp_not_told", level=logs.WARNING, address=where, reason=type(error).__name__)


async def _read(request: web.Request) -> Request:
    form = {name: str(value) for name, value in (await request.post()).items()}
    return Request(request.method, str(request.url), request.headers, dict(request.query), form)


def _answer(response: Response) -> web.Response:
    headers = response.headers
    if isinstance(response.body, dict):
        headers.pop("Content-Type", None)
        return web.json_response(response.body, status=response.status, headers=headers)
    return web.Response(status=response.status, text=response.body, headers=headers)


def _service(request: web.Request) -> str:
    """Return the service of a request if it is ours."""
    service = request.query.get("service", "")
    return service if service.startswith(request.app[_SETTINGS].app + "/") else ""


def _page(request: web.Request, then: str) -> web.Response:
    session = request.app[SESSIONS].of(request)
    text = request.app[_VIEWS].render(
        "fake_provider.html",
        people=request.app[SESSIONS].people.values(),
        session=session,
        then=then,
        app=request.app[_SETTINGS].app,
    )
    return web.Response(text=text, content_type="text/html")


def _redirect(address: str) -> web.Response:
    return web.Response(status=302, headers={"Location": address})
