"""The command line: `python -m service VERB`, on the same functions as the HTTP side."""

import io
import sys

import click

from service import __version__
from service.cli import output
from service.cli.audit import audit_group
from service.cli.checks import config_group, healthcheck
from service.cli.database import migrate, prepare, seed
from service.cli.identities import link, unlink
from service.cli.idp import idp
from service.cli.keys import key
from service.cli.roles import role
from service.cli.serve import serve
from service.cli.storage import db_group
from service.cli.tokens import token
from service.cli.users import user


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="Latchkey")
def cli() -> None:
    """Latchkey: sign in once, carry the same signed JWT as a cookie and as a bearer token.

    Settings come from the environment and from .env in the working directory.

    It exits with 0 when all went well, also when there was nothing to change; with 1, and one
    message on standard error, when something could not be done; with 2 when the command line is
    not one that can be read.
    """


for command in (
    *(serve, prepare, migrate, seed, db_group, user, role, audit_group, token, key, config_group),
    *(healthcheck, idp),
):
    cli.add_command(command)
for command in (link, unlink):
    user.add_command(command)


def main() -> None:
    """Run a command; what goes wrong is one message on standard error and a non-zero exit."""
    if sys.stdin is None:  # started with <&-
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    sys.exit(output.exit_status(lambda: cli(prog_name="python -m service", standalone_mode=False)))
