"""`serve`."""

import importlib
from urllib.parse import urlencode

import click
from aiohttp import web

from service import config
from service.audit import Actor
from service.cli import output
from service.config import Config
from service.credentials import links
from service.errors import DatabaseUnavailable
from service.server import run
from service.telemetry import logs
from service.users import seeds
from service.web import context


@click.command()
def serve() -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    settings = config.load()
    logs.configure(settings.log_level, settings.log_format)
    if settings.workers == 1:
        run.run(settings, announce)
        return

    def serve_one(worker: run.Worker) -> int:
        return output.exit_status(lambda: run.run(settings, announce, worker))

    supervisor = importlib.import_module("service.server.supervisor")  # with multiprocessing
    raise click.exceptions.Exit(supervisor.Supervisor(settings, serve_one).run())


async def announce(app: web.Application) -> None:
    """Log that the server listens, and warn about unsafe settings."""
    settings = app[context.CONFIG]
    logs.event(
        "listening",
        host=settings.host,
        port=settings.port,
        url=settings.public_url,
        environment=settings.environment,
    )
    for name, finding in config.findings(settings):
        logs.event("unsafe_setting", level=logs.WARNING, setting=name, warning=finding)
    if settings.bypass_auth:
        await _announce_bypass(app, settings)
    if settings.production and settings.has_links:
        await _announce_claim(app, settings)


async def _announce_claim(app: web.Application, settings: Config) -> None:
    """Print a link for the first manager, while no active user manages users."""
    try:
        if await links.has_manager(app[context.DATABASE]):
            return
        async with context.writing_in(app) as tx:
            made = await links.create_claim(tx, Actor("server:start"))
    except DatabaseUnavailable:
        logs.event(
            "claim_link_failed",
            level=logs.ERROR,
            warning="the database is not responding: restart the server to get a claim link",
        )
        return
    if made is None:
        return
    url = made.url(settings.public_url)
    logs.event(
        "claim_link",
        level=logs.WARNING,
        url=url,
        expires_at=made.expires_at,
        warning="no active user has manage_users: this link makes the first administrator",
    )
    click.echo(
        f"\nNo administrator exists yet. To become it, open this link within 30 minutes:\n  {url}\n"
    )


async def _announce_bypass(app: web.Application, settings: Config) -> None:
    logs.event(
        "bypass_enabled",
        level=logs.WARNING,
        warning="clients in BYPASS_NETWORKS can sign in without a password, as any user",
        networks=", ".join(map(str, settings.bypass_networks)),
    )
    click.echo(f"\nLatchkey runs at {settings.public_url}/")
    try:
        names = [user["username"] for user in await seeds.demo_users(app[context.DATABASE])]
    except DatabaseUnavailable:
        click.echo("  cannot list the demo users: the database is not responding")
    else:
        for name in names:
            link = f"{settings.public_url}/auth/bypass?{urlencode({'token': name})}"
            click.echo(f"  sign in as {name:12} {link}")
        if not names:
            click.echo("  no demo users; create them with: make seed")
    click.echo("")
