"""Commands in unusual environments: a locale without letters beyond ASCII, folders, `.env`."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.test_programs import WORDS
from tests.support.commands import done, message, program
from tests.support.environment import ROOT, STRONG, clean_environ, free_port
from tests.support.rights import without_rights

STORES = ("sqlite",)
NAME = "Zo\u00eb \u65e5\u672c"
ASCII = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "FORCE_COLOR": "1"},
}


@pytest.mark.parametrize("environ", ASCII.values(), ids=ASCII)
def test_each_verb_prints_what_the_encoding_does_not_have_as_escapes(
    folder: Path, environ: dict[str, str]
) -> None:
    done(folder, "user", "update", "admin", "--name", NAME)
    settings = {"PYTHONWARNINGS": "error", "JWT_AUDIENCE": NAME, **environ}
    verbs = [words for verb, words in WORDS.items() if verb not in {"key", "idp"}]
    printed = ""
    for words in (*verbs, ("user", "show", "admin")):
        ended = program(folder, *words, **settings)
        assert ended.returncode == 0, ended.stderr
        assert "\x1b" not in ended.stdout
        printed += ended.stdout
    names = re.findall(r"Zo\S+ \S+", printed)
    assert len(names) == 4  # user list, audit list, user show, config check
    assert set(names) <= {NAME, "Zo\\xeb \\u65e5\\u672c", "Zo\ufffd \\u65e5\\u672c"}


def test_an_error_is_printed_in_such_an_environment_as_well(folder: Path) -> None:
    ended = program(folder, "user", "show", NAME, **ASCII["C locale"])
    assert ended.returncode == 1
    assert message(ended)


def test_serve_writes_its_log_and_links(folder: Path) -> None:
    done(folder, "user", "update", "admin", "--name", NAME)
    environ = clean_environ(PORT=str(free_port()), ENVIRONMENT="development", **ASCII["C locale"])
    serve = [sys.executable, "-m", "service", "serve"]
    with subprocess.Popen(
        serve, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        assert server.stdout is not None
        said = b""
        while b"sign in as user" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
        server.terminate()
        server.stdout.read()
    assert server.returncode == 0
    assert b"Traceback" not in said


def run_in(folder: Path, *words: str, script: str = 'exec "$@"', **settings: str) -> str:
    """Run a command that fails in a folder; return its message."""
    command = [*without_rights(), "sh", "-c", script, "sh", sys.executable, "-m", "service"]
    ended = subprocess.run(
        [*command, *words],
        cwd=folder,
        env=clean_environ(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert message(ended)
    return ended.stderr


VERBS = (("serve",), ("prepare",), ("migrate", "up"), ("user", "list"), ("config", "check"))


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_working_folder_that_is_gone_is_named(tmp_path: Path, verb: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    said = run_in(gone, *verb, script='rmdir "$PWD" && exec "$@"')
    assert said == (
        "The working directory cannot be used (No such file or directory). Change to another.\n"
    )


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_working_folder_that_may_not_be_entered_is_named(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    said = run_in(closed, *verb, script='chmod 000 . && exec "$@"', JWT_SECRET_KEY=STRONG)
    closed.chmod(0o700)
    assert said.startswith("Invalid settings:\n  .env cannot be read: Permission denied\n")


@pytest.mark.parametrize("verb", [("prepare",), ("migrate", "up"), ("serve",)], ids=" ".join)
def test_a_working_folder_that_is_not_writable_is_named(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.test").read_text())
    tmp_path.chmod(0o555)
    try:
        said = run_in(tmp_path, *verb, PORT=str(free_port()))
    finally:
        tmp_path.chmod(0o755)
    assert said.startswith("The database data/latchkey.db ")
    assert said.endswith(
        "cannot be created: Permission denied.\n"
        if verb != ("serve",)
        else "does not exist. Run: python -m service migrate up\n"
    )


def test_what_may_be_read_is_enough_for_the_commands_that_only_read(folder: Path) -> None:
    folder.chmod(0o555)
    try:
        assert program(folder, "user", "list").returncode == 0
    finally:
        folder.chmod(0o755)


def test_a_dotenv_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1")
    (tmp_path / ".env").chmod(0)
    assert ".env cannot be read: Permission denied" in run_in(tmp_path, "user", "list")


def test_a_folder_in_the_place_of_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert ".env cannot be read: it is a folder" in run_in(tmp_path, "user", "list")


def test_prepare_reads_a_pipe_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    settings = (ROOT / ".env.test").read_text().replace("=test", "=development")
    writer = threading.Thread(target=(tmp_path / ".env").write_text, args=(settings,))
    writer.start()
    ended = program(tmp_path, "prepare")
    writer.join(20)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Created the demo users" in ended.stdout
