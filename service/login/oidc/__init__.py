"""The ways in through OpenID providers, and the ways out: `/auth/oidc`."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from service import context, outgoing
from service.config import Config, openid
from service.login.oidc import clients, signing_in, signing_out
from service.openid.provider import Provider
from service.providers import Provider as WayIn
from service.providers import Providers


def routes(config: Config) -> list[web.RouteDef]:
    """Return the routes for the providers that are on: none, if none is."""
    names = {settings.name for settings in config.openid}
    found = []
    if names:
        found += [
            web.get("/auth/oidc", signing_in.start, allow_head=False),
            web.post("/auth/oidc/logout", signing_out.by_provider),
        ]
    if openid.PLAIN in names:
        found.append(web.get("/auth/oidc/callback", signing_in.callback, allow_head=False))
    if names - {openid.PLAIN}:
        found += [
            web.get("/auth/oidc/{provider}", signing_in.start, allow_head=False),
            web.get("/auth/oidc/{provider}/callback", signing_in.callback, allow_head=False),
        ]
    return found


def ways_in(app: web.Application) -> Providers:
    """Return what the pages need to know of the providers."""
    return {
        settings.name: WayIn(
            name=settings.name,
            label=settings.label,
            start=settings.start,
            leave=partial(signing_out.leave, app),
        )
        for settings in app[context.CONFIG].openid
    }


async def connect(app: web.Application) -> AsyncIterator[None]:
    """Open the connections to providers; none is asked before somebody comes."""
    async with outgoing.connect() as client:
        app[clients.CLIENTS] = {
            settings.name: Provider(settings, client.send)
            for settings in app[context.CONFIG].openid
        }
        app[clients.REPLAYS] = clients.Replays()
        yield
