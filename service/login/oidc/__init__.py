"""Sign-in and sign-out through OpenID providers: `/auth/oidc`."""

from functools import partial

from aiohttp import web

from service.config import Config, openid
from service.login import sso
from service.login.oidc import registry, sign_in, sign_out
from service.providers.openid.provider import OpenIdClient
from service.providers.registry import Provider as WayIn
from service.web import context

# Except `logout`, which is another route with another method.
_NAMED = "/auth/oidc/{provider:(?!logout$)[^/]+}"


def routes(config: Config) -> list[web.RouteDef]:
    """Return the routes, none if no provider is enabled."""
    names = {settings.name for settings in config.openid}
    found = []
    if names:
        found += [
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


def providers(app: web.Application, config: Config) -> list[WayIn]:
    """Return the enabled providers for the pages."""
    leave = partial(sign_out.leave, app)
    return [
        WayIn(name=settings.name, label=settings.label, start=settings.start, leave=leave)
        for settings in config.openid
    ]


def prepare(app: web.Application) -> None:
    """Create the clients of the enabled providers. No provider is contacted yet."""
    send = app[sso.OUTBOUND].send
    app[registry.CLIENTS] = {
        settings.name: OpenIdClient(settings, send) for settings in app[context.CONFIG].openid
    }
