"""Sign-in and sign-out by OpenID Connect: `/auth/oidc`."""

from functools import partial

from aiohttp import web

from service.config import Config, openid
from service.login import sso
from service.login.oidc import registry, sign_in, sign_out
from service.providers.openid.provider import OpenIdClient
from service.providers.registry import LoginOption
from service.web import context

# Except `logout`, which is another route with another method.
_NAMED = "/auth/oidc/{provider:(?!logout$)[^/]+}"


def routes(config: Config) -> list[web.RouteDef]:
    """Return the routes for the providers that are on."""
    names = {settings.name for settings in config.openid}
    found = [
        web.get("/auth/oidc", sign_in.start, allow_head=False),
        web.post("/auth/oidc/logout", sign_out.by_provider),
    ]
    if openid.PLAIN in names:
        found.append(web.get("/auth/oidc/callback", sign_in.callback, allow_head=False))
    if names - {openid.PLAIN}:
        found += [
            web.get(_NAMED, sign_in.start, allow_head=False),
            web.get("/auth/oidc/{provider}/callback", sign_in.callback, allow_head=False),
        ]
    return found


def providers(app: web.Application, config: Config) -> list[LoginOption]:
    """Return the providers that are on, as sign-in options. Their clients are made at the start."""
    leave = partial(sign_out.leave, app)
    app.on_startup.append(_make_clients)
    return [
        LoginOption(name=settings.name, label=settings.label, start=settings.start, leave=leave)
        for settings in config.openid
    ]


async def _make_clients(app: web.Application) -> None:
    """Make a client for each provider. It sends nothing before the first sign-in."""
    send = app[sso.OUTBOUND].send
    app[registry.CLIENTS] = {
        settings.name: OpenIdClient(settings, send) for settings in app[context.CONFIG].openid
    }
