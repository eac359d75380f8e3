"""A copy of the files that `make` needs, and a program in place of Python that installs nothing."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from tests.support.environment import ROOT

_FILES = ("Makefile", "setup.cfg", "pyproject.toml", "service/__init__.py", ".env.example")
_PYTHON = """\
#!/bin/sh
# Stands for Python: it makes a .venv with itself in it, and notes each call with its environment.
here=$(dirname "$0")
note="$NOTES/calls"
case "$*" in
    "-m venv"*)
        echo "venv" >>"$note"
        env >"$NOTES/venv"
        mkdir -p .venv/bin
        if [ "${FAIL-}" = venv ]; then exit 1; fi
        if [ "${HANG-}" = venv ]; then echo $$ >"$NOTES/hangs"; exec sleep 60; fi
        cp "$PATTERN" .venv/bin/python ;;
    "-m pip"*)
        echo "pip" >>"$note"
        env >"$NOTES/pip"
        if [ "${FAIL-}" = pip ]; then exit 1; fi
        if [ "${HANG-}" = pip ]; then echo $$ >"$NOTES/hangs"; exec sleep 60; fi
        pwd -P >.venv/place ;;
    "-I -c"*samefile*) [ "$(cat .venv/place)" = "$(pwd -P)" ] ;;
    *secrets*) echo 5f1d8c0b7a3e49d2 ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the Makefile and what it reads."""

    folder: Path
    notes: Path

    def make(self, *targets: str, **environ: str) -> CompletedProcess[str]:
        """Run make to its end."""
        return subprocess.run(
            self._arguments(targets),
            cwd=self.folder,
            env=self._environ(environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def begin(self, *targets: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start make in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            self._arguments(targets),
            cwd=self.folder,
            env=self._environ(environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def calls(self) -> list[str]:
        """What was called since the last time: venv, pip."""
        file = self.notes / "calls"
        done = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return done

    def environ_of(self, call: str) -> dict[str, str]:
        """Return the environment that a call had."""
        lines = (self.notes / call).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _arguments(self, targets: tuple[str, ...]) -> list[str]:
        return ["make", *targets, f"PYTHON={self.notes / 'python'}"]

    def _environ(self, environ: dict[str, str]) -> dict[str, str]:
        made = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NOTES": str(self.notes)}
        return {**made, "PATTERN": str(self.notes / "python"), **environ}


def checkout(folder: Path, notes: Path) -> Checkout:
    """Return a new checkout in a folder, with a program in place of Python."""
    for name in _FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    notes.mkdir(exist_ok=True)
    program = notes / "python"
    program.write_text(_PYTHON)
    program.chmod(0o755)
    return Checkout(folder, notes)
