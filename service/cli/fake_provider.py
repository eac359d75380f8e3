"""`idp`: the fake provider, alone or with the service beside it."""

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
"""Another site than `localhost`, as a real provider is, and out of everybody else's reach."""
_CLIENT_ID = "latchkey"
_STRANGER = Person("stranger", "demo-stranger", "whom no user is linked with")
_SECONDS = 30
_LINKED_BY = Actor("cli:idp")


@click.command()
@click.option("--port", default=9080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--client-secret", help="What the client shows; made up if it is not given.")
@click.option("--serve", "beside", is_flag=True, help="Serve as well, wired to the provider.")
def idp(port: int, client_secret: str | None, *, beside: bool) -> None:
    """Run a fake CAS and OpenID provider on loopback: anybody signs in as anybody.

    For development alone; with ENVIRONMENT=production it refuses.
    """
    if config.environment() == "production":
        raise Fault(
            "ENVIRONMENT is production (or unset): the fake provider signs anybody in as anybody,"
            " and is for development: ENVIRONMENT=development"
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
        raise Fault(f"Port {port} of {_HOST} cannot be listened on: {error.strerror}.") from error
    if ended:
        raise Fault("The service has ended by itself, and the fake provider with it.")


def _people() -> tuple[Person, ...]:
    """Return the demo users as the provider knows them."""
    return tuple(
        Person(name, f"demo-{name}", name.capitalize(), roles)
        for name, roles in seeds.read(seeds.DEMO)
    )


async def _link(tx: Transaction, people: tuple[Person, ...]) -> None:
    """Let the provider's people sign in the demo users of their names, as far as these exist."""
    for person in people:
        user = await users.find_by_username(tx, person.username)
        if user is not None:
            await identities.link(tx, _LINKED_BY, user, "oidc", person.subject)
            await identities.link(tx, _LINKED_BY, user, "cas", person.username)


def _announce(settings: Settings, *, beside: bool) -> None:
    click.echo(f"\nUNSAFE, for development: a fake provider answers at {settings.url}/")
    if beside:
        click.echo(f"  sign in by OpenID Connect  {settings.app}/auth/oidc")
        click.echo(f"  sign in by CAS             {settings.app}/auth/cas")
    else:
        for name, value in _wiring(settings).items():
            click.echo(f"  {name}={value}")
    click.echo("")


def _wiring(settings: Settings) -> dict[str, str]:
    """Return the settings of the service that lead it to the provider."""
    return {
        "OIDC_ISSUER": settings.url,
        "OIDC_CLIENT_ID": settings.client_id,
        "OIDC_CLIENT_SECRET": settings.client_secret,
        "OIDC_NAME": "the fake OpenID provider",
        "CAS_URL": f"{settings.url}/cas",
    }


async def _beside(service: Config, settings: Settings, ended: list[int]) -> AsyncIterator[None]:
    """Run the service as a process of its own, as long as the provider.

    If it ends by itself, note how in `ended`, and end too.
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
