"""Each verb as a program of its own, once; all else that commands do is tested in one process."""

from pathlib import Path

import pytest

from service.cli import VERBS
from tests.support.commands import message, program
from tests.support.servers import Server

STORES = ("sqlite",)  # how a program starts does not depend on it
WORDS = {
    "serve": ("serve", "--help"),  # it runs in tests/process
    "idp": ("idp", "--help"),  # as well
    "prepare": ("prepare",),
    "migrate": ("migrate", "status"),
    "seed": ("seed",),
    "db": ("db", "check"),
    "user": ("user", "list"),
    "role": ("role", "list"),
    "limits": ("limits", "list"),
    "invite": ("invite", "list"),
    "audit": ("audit", "list"),
    "token": ("token", "issue", "admin"),
    "key": ("key", "generate"),
    "config": ("config", "check"),
}


@pytest.mark.parametrize("verb", WORDS)
def test_it_runs_as_a_program(folder: Path, verb: str) -> None:
    settings = {"JWT_KEYS_FILE": "keys.json"} if verb == "key" else {}
    ended = program(folder, *WORDS[verb], **settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout or verb == "prepare"


def test_so_does_the_health_check(server: Server) -> None:
    ended = program(server.folder, "healthcheck", **server.environ)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "The server is running.\n", "")


def test_no_verb_is_left_out() -> None:
    assert WORDS.keys() | {"healthcheck"} == VERBS.keys()


def test_a_program_says_what_is_wrong(folder: Path) -> None:
    ended = program(folder, "user", "show", "nobody")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nobody" in message(ended)


def test_modules_in_the_working_directory_are_not_loaded(folder: Path) -> None:
    """A file there could be anybody's: a command of root would run it with the rights of root."""
    for name in ("click", "dotenv", "jwt", "json", "pathlib"):
        (folder / f"{name}.py").write_text("raise SystemExit('loaded from the folder')\n")
    ended = program(folder, "user", "list")
    assert (ended.returncode, ended.stderr) == (0, "")
