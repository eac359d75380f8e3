"""`config check` and `healthcheck`."""

import http.client
from pathlib import Path

import click

from service import config, db, keys
from service.cli import issuers, output
from service.errors import Fault

_SECONDS = 5
_HIDDEN = ("JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS")


@click.group("config")
def config_group() -> None:
    """Check the settings."""


config_group.add_command(issuers.accept_issuer)


@config_group.command()
@output.as_json
def check(json_form: bool) -> None:
    """Show the settings without secrets. Exits with 1 if a setting is invalid.

    So it does if the library of the database is missing or too old.

    Warnings about unsafe settings go to standard error.
    """
    settings = config.load()
    keys.load(settings)
    rows = [
        {"setting": name, "value": _shown(_value(settings, name))}
        for name in config.NAMES
        if name not in _HIDDEN and not name.startswith("OIDC_")
    ]
    rows += [
        {"setting": name, "value": value} for name, value in config.openid.shown(settings.openid)
    ]
    for name in _HIDDEN:
        given = getattr(settings, name.lower()) is not None
        rows.append({"setting": name, "value": "(set)" if given else None})
    output.show(rows, json_form=json_form)
    for name, finding in config.findings(settings):
        click.echo(f"Warning: {name} {finding}", err=True)
    for warning in issuers.warnings(settings):
        click.echo(f"Warning: {warning}", err=True)
    db.require_library(settings.database)


@click.command()
@output.as_json
def healthcheck(json_form: bool) -> None:
    """Check that the server answers on HOST and PORT. For container health checks."""
    settings = config.load()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or error
        raise Fault(f"Cannot connect to {host}, port {settings.port}: {why}.") from error
    finally:
        connection.close()
    if status != 200:
        raise Fault(f"The server at {host}, port {settings.port} answered with status {status}.")
    output.done("The server is running.", alive=True, json_form=json_form)


def _value(settings: config.Config, name: str) -> object:
    """Return the value of a setting; of the database and the proxy, the URL without a password."""
    if name == "OUTGOING_PROXY":
        return settings.shown_proxy
    return settings.database.safe_url if name == "DATABASE_URL" else getattr(settings, name.lower())


def _shown(value: object) -> object:
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(sorted(map(str, value))) or None
    return str(value) if isinstance(value, Path) else value
