"""`make run` with pip and Python as they are, in a hostile environment: no other test installs.

The checkout has line ends of Windows, and a blank, a quote and a letter beyond ASCII in its path.
pip is set to install elsewhere, Python to look elsewhere. The first run is interrupted.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.test_make import STRANGE
from tests.support.client import ask, sign_in
from tests.support.environment import ROOT, free_port

_FILES = ("Makefile", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", ".env.example")
_FOLDERS = ("service", "migrations", "seeds")
_PATIENCE = 400.0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the files that `make run` uses, with CRLF in each text."""
    folder = tmp_path_factory.mktemp("clone") / "Zo\u00eb's clone"
    folder.mkdir()
    for name in _FILES:
        shutil.copy(ROOT / name, folder)
    for name in _FOLDERS:
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for file in folder.rglob("*"):
        if file.is_file() and b"\0" not in (data := file.read_bytes()):
            file.write_bytes(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return folder


def environ(**settings: str) -> dict[str, str]:
    """Return the environment of the caller, for pip, with all that `make` has to ignore."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**own, **STRANGE, "PIP_REQUIRE_VIRTUALENV": "1", **settings}


@contextlib.contextmanager
def running(clone: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `make run` in a process group of its own, and end what is left of it."""
    with log.open("wb") as output:
        make = subprocess.Popen(
            ["make", "run", f"PORT={port}", f"PYTHON={sys.executable}"],
            cwd=clone,
            env=environ(LC_ALL="C"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield make
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(make.pid, signal.SIGTERM)
        make.wait(30)


def test_make_run_after_an_interrupted_first_run_serves_and_names_a_missing_driver(
    clone: Path, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    deadline = time.monotonic() + _PATIENCE
    with running(clone, port, log) as first:
        while not (clone / ".venv/bin/python").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGINT)
        assert first.wait(60) != 0
    with running(clone, port, log) as make:
        while "sign in as" not in (said := log.read_text()):
            assert make.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        assert "because its installation was interrupted" in said
        assert ask(port, "/auth/me", headers={"Cookie": f"jwt={sign_in(port)}"}).status == 200
    without_driver = subprocess.run(
        ["make", "run", "DATABASE_URL=postgresql://ada@127.0.0.1:1/latchkey"],
        cwd=clone,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert without_driver.returncode != 0
    assert "Traceback" not in without_driver.stderr
    assert " -m pip install -e " in without_driver.stderr
