"""The command line: `python -m service VERB`, on the same functions as the HTTP side."""

import importlib
import io
import sys

import click

from service import __version__
from service.cli import output

VERBS = {
    "serve": "serve:serve",
    "prepare": "migrate:prepare",
    "migrate": "migrate:migrate",
    "seed": "migrate:seed",
    "db": "database:db_group",
    "user": "users:user",
    "role": "roles:role",
    "limits": "limits:limits",
    "invite": "links:invite",
    "audit": "audit:audit_group",
    "token": "tokens:token",
    "key": "keys:key",
    "config": "config_check:config_group",
    "healthcheck": "config_check:healthcheck",
    "idp": "fake_provider:idp",
}
"""The module and the name of each command."""


class _Verbs(click.Group):
    """Loads a command when it is used: most commands need few of the modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        """Return the names of all commands."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if cmd_name not in VERBS:
            return None
        file, _, name = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"service.cli.{file}"), name)
        return command


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="Latchkey")
def cli() -> None:
    """Latchkey: sign in once, and use one signed JWT as a cookie and as a bearer token.

    Settings come from the environment and from .env in the working directory.

    Exit status: 0 for success, also if there was nothing to change; 1 if the command failed, with
    one message on standard error; 2 if the command line is invalid.
    """


def main() -> None:
    """Run a command. An error prints one message on standard error and exits with non-zero."""
    if sys.stdin is None:  # started with <&-
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None after >&-
            stream.reconfigure(errors="backslashreplace")  # names that its encoding does not have
    sys.exit(output.exit_status(lambda: cli(prog_name="python -m service", standalone_mode=False)))
