"""`make`: what an interruption, a move or an unusual environment leaves is repaired or named.

A program stands for Python, so that nothing is installed: tests/process/test_make_run.py installs.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.environment import ROOT
from tests.support.make import Checkout, checkout
from tests.support.rights import without_rights

STAMP = ".venv/.run"
STRANGE = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_PREFIX": "/nowhere",
    "PIP_ROOT": "/nowhere",
    "PIP_PYTHON": "/nowhere/python3",
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_NO_BUILD_ISOLATION": "1",
    "PYTHONHOME": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "PYTHONSAFEPATH": "1",
    "PYTHONWARNINGS": "error",
}


@pytest.fixture
def tree(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a clone with blanks"
    folder.mkdir()
    return checkout(folder, tmp_path / "notes")


@pytest.fixture
def installed(tree: Checkout) -> Checkout:
    """Return a checkout after its first `make`."""
    done = tree.make(STAMP)
    assert done.returncode == 0, done.stderr
    assert tree.calls == ["venv", "pip"]
    return tree


def again(tree: Checkout, why: str) -> None:
    """Check that the next `make` starts over, says why, and that another has no work."""
    done = tree.make(STAMP)
    assert done.returncode == 0, done.stderr
    assert f"Creating .venv again, because {why}" in done.stdout
    assert tree.calls == ["venv", "pip"]
    assert (tree.make(STAMP).stdout, tree.calls) == ("", [])


def test_a_second_make_installs_nothing(installed: Checkout) -> None:
    assert (installed.make(STAMP).stdout, installed.calls) == ("", [])


def test_a_source_that_changed_is_installed_again_into_the_same_environment(
    installed: Checkout,
) -> None:
    later = time.time() + 10
    os.utime(installed.folder / "setup.cfg", (later, later))
    assert installed.make(STAMP).returncode == 0
    assert installed.calls == ["pip"]


@pytest.mark.parametrize("step", ["venv", "pip"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_installation_is_repaired(
    tree: Checkout, step: str, number: signal.Signals
) -> None:
    make = tree.begin(STAMP, HANG=step)
    deadline = time.monotonic() + 30
    while not (tree.notes / "hangs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    other = tree.make(STAMP)
    assert other.returncode != 0
    assert "installs into .venv. Wait until it has finished." in other.stderr
    os.killpg(make.pid, number)
    assert make.wait(20) != 0
    assert not (tree.folder / STAMP).exists()
    assert tree.calls[-1] == step
    again(tree, "its installation was interrupted")


def test_what_an_older_makefile_left_after_an_interruption_is_repaired(tree: Checkout) -> None:
    """Its `.venv` has no mark, and no pip."""
    (tree.folder / ".venv/bin").mkdir(parents=True)
    (tree.folder / ".venv/bin/python").symlink_to("/bin/false")
    again(tree, "its Python is missing, too old or incomplete")


@pytest.mark.parametrize("left", ["dangling", "nothing", "another program", "a dangling .venv"])
def test_a_python_that_is_gone_is_noticed(installed: Checkout, left: str, tmp_path: Path) -> None:
    python = installed.folder / ".venv/bin/python"
    python.unlink()
    if left == "dangling":
        python.symlink_to("/nowhere/python3")
    elif left == "another program":
        python.symlink_to("/bin/false")
    elif left == "a dangling .venv":
        shutil.rmtree(installed.folder / ".venv")
        (installed.folder / ".venv").symlink_to(tmp_path / "gone")
    again(installed, "its Python is missing, too old or incomplete")


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_moved_or_copied_folder_gets_an_environment_of_its_own(
    installed: Checkout, tmp_path: Path, how: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    if how == "copied":
        shutil.copytree(installed.folder, elsewhere, symlinks=True)
    else:
        installed.folder.rename(elsewhere)
    again(Checkout(elsewhere, installed.notes), "it belongs to another folder")


def test_a_failed_installation_leaves_an_environment_that_worked(installed: Checkout) -> None:
    failed = installed.make(".venv/.test", FAIL="pip")
    assert failed.returncode != 0
    assert "Then run make again." in failed.stderr
    assert installed.calls == ["pip"]
    assert (installed.make(STAMP).stdout, installed.calls) == ("", [])


@pytest.mark.parametrize("step", ["venv", "pip"])
def test_a_failed_first_installation_is_tried_again(tree: Checkout, step: str) -> None:
    assert tree.make(STAMP, FAIL=step).returncode != 0
    done = tree.make(STAMP)
    assert done.returncode == 0, done.stderr
    assert (tree.folder / STAMP).exists()


def test_what_others_set_for_pip_and_python_does_not_reach_the_environment(tree: Checkout) -> None:
    command_line = [f"{name}={value}" for name, value in STRANGE.items()]
    for given in (tree.make(STAMP, **STRANGE), tree.make(".venv/.test", *command_line[:2])):
        assert given.returncode == 0, given.stderr
    for call in ("venv", "pip"):
        seen = tree.environ_of(call)
        assert {name: seen[name] for name in STRANGE if seen.get(name)} == {}


def test_the_key_of_dotenv_is_new_and_the_file_is_never_overwritten(tree: Checkout) -> None:
    assert tree.make(".env").returncode == 0
    made = tree.folder / ".env"
    assert "JWT_SECRET_KEY=5f1d8c0b7a3e49d2\n" in made.read_text()
    assert made.stat().st_mode & 0o777 == 0o600
    made.write_text("JWT_SECRET_KEY=mine")
    assert tree.make(".env").returncode == 0
    assert made.read_text() == "JWT_SECRET_KEY=mine"


def test_with_line_ends_of_windows_it_works_as_well(tree: Checkout) -> None:
    """As after a checkout by a Git that ignores .gitattributes, or from an archive."""
    for file in tree.folder.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    listed = tree.make("help")
    assert listed.returncode == 0, listed.stderr
    assert "\r" not in listed.stdout
    assert "make run " in listed.stdout
    assert tree.make(STAMP).returncode == 0
    assert tree.calls == ["venv", "pip"]
    assert tree.make(".env").returncode == 0
    assert b"JWT_SECRET_KEY=5f1d8c0b7a3e49d2\n" in (tree.folder / ".env").read_bytes()


@pytest.mark.parametrize("target", [STAMP, ".env"])
def test_a_folder_that_is_not_writable_is_named(tree: Checkout, target: str) -> None:
    if target == ".env":
        assert tree.make(STAMP).returncode == 0
    tree.folder.chmod(0o555)
    try:
        done = subprocess.run(
            [*without_rights(), *tree._arguments((target,))],
            cwd=tree.folder,
            env=tree._environ({}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        tree.folder.chmod(0o755)
    assert done.returncode != 0
    message = "This folder is not writable. Clone Latchkey into a folder of your own.\n"
    assert done.stderr.startswith(message)


def test_a_colon_in_the_path_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    done = checkout(folder, tmp_path / "notes").make(STAMP)
    assert done.returncode != 0
    assert "cannot be in a folder with a colon in its path" in done.stderr


def test_git_checks_out_lines_that_end_as_make_and_sh_need_them() -> None:
    files = ["Makefile", ".ci/run", "deploy/systemd/latchkey", ".env.example", "setup.cfg"]
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a clone of a Git repository")
    asked = ["git", "-c", "core.autocrlf=true", "check-attr", "eol", "--", *files]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name}: eol: lf" for name in files]
