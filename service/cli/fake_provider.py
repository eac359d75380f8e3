"""`idp`: the fake provider, alone or together with the service."""

import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator

import click
from aiohttp import web

from service import config, users
from service.audit import Actor
from service.cli import database_session
from service.config import Config
from service.db import Transaction
from service.errors import Fault
from service.fake_provider import Person, Settings, create_app
from service.providers import identities
from service.telemetry import logs
from service.users import seeds

_HOST = "127.0.0.1"
"""Loopback only, and another site than `localhost`, as a real provider is."""
_CLIENT_ID = "latchkey"
_STRANGER = Person("stranger", "demo-stranger", "an account without a linked user")
_SECONDS = 30
_LINKED_BY = Actor("cli:idp")


@click.command()
@click.option("--port", default=9080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--client-secret", help="The client secret. Default: random.")
@click.option(
    "--serve", "beside", is_flag=True, help="Also run the service, configured for this provider."
)
def idp(port: int, client_secret: str | None, *, beside: bool) -> None:
    """Run a fake CAS and OpenID provider for development.

    It listens on loopback and signs in without a password. It refuses to start with
    ENVIRONMENT=production.
    """
    if config.environment() == "production":
        raise Fault(
            "ENVIRONMENT is production (or unset). The fake provider signs in without a password"
            " and is for development only: set ENVIRONMENT=development"
        )
    service = config.load()
    logs.configure(service.log_level, service.log_format)
    settings = Settings(
        url=f"http://{_HOST}:{port}",
        app=service.public_url,
        client_id=_CLIENT_ID,
        client_secret=client_secret or secrets.token_urlsafe(32),
    )
    people = _people()
    app = create_app(settings, (*people, _STRANGER))
    ended: list[int] = []
    if beside:
        database_session.in_transaction(lambda tx: _link(tx, people))
        app.cleanup_ctx.append(lambda _: _beside(service, settings, ended))
    _announce(settings, beside=beside)
    try:
        web.run_app(app, host=_HOST, port=port, print=None, access_log=None)
    except OSError as error:
        raise Fault(f"Cannot listen on {_HOST}, port {port}: {error.strerror}.") from error
    if ended:
        raise Fault("The service exited, so the fake provider was stopped.")


def _people() -> tuple[Person, ...]:
    """Return the accounts of the demo users at the provider."""
    return tuple(
        Person(name, f"demo-{name}", name.capitalize(), roles)
        for name, roles in seeds.read(seeds.DEMO)
    )


async def _link(tx: Transaction, people: tuple[Person, ...]) -> None:
    """Link the provider's accounts to the demo users with the same names, if these exist."""
    for person in people:
        user = await users.find_by_username(tx, person.username)
        if user is not None:
            await identities.link(tx, _LINKED_BY, user, "oidc", person.subject)
            await identities.link(tx, _LINKED_BY, user, "cas", person.username)


def _announce(settings: Settings, *, beside: bool) -> None:
    click.echo(f"\nUNSAFE, for development only: a fake provider runs at {settings.url}/")
    if beside:
        click.echo(f"  sign in by OpenID Connect  {settings.app}/auth/oidc")
        click.echo(f"  sign in by CAS             {settings.app}/auth/cas")
    else:
        for name, value in _wiring(settings).items():
            click.echo(f"  {name}={value}")
    click.echo("")


def _wiring(settings: Settings) -> dict[str, str]:
    """Return the settings that connect the service to the provider."""
    return {
        "OIDC_ISSUER": settings.url,
        "OIDC_CLIENT_ID": settings.client_id,
        "OIDC_CLIENT_SECRET": settings.client_secret,
        "OIDC_NAME": "the fake OpenID provider",
        "CAS_URL": f"{settings.url}/cas",
    }


async def _beside(service: Config, settings: Settings, ended: list[int]) -> AsyncIterator[None]:
    """Run the service in a child process while the provider runs.

    If the service exits first, append its exit status to `ended` and stop the provider.
    """
    wiring = {**_wiring(settings), "PORT": str(service.port), "PUBLIC_URL": service.public_url}
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", "serve", env=config.inherited(**wiring)
    )

    async def end_with_it() -> None:
        ended.append(await server.wait())
        signal.raise_signal(signal.SIGTERM)

    watch = asyncio.create_task(end_with_it())
    yield
    watch.cancel()
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        await asyncio.wait_for(server.wait(), _SECONDS)
    except TimeoutError:
        server.kill()
