"""The files of deploy/ as data, and the unit's commands run as systemd runs them."""

import contextlib
import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from service import config
from service.config import settings as table
from tests.support.environment import ROOT, STRONG, clean_environ, free_port

DEPLOY = ROOT / "deploy"
STOP_SECONDS = 15
"""How long a server takes to stop at most: what is in flight has 10 s, the processes 5 more."""

_PYTHON = "/opt/latchkey/.venv/bin/python"
_NOBODY = "65534"
_MAY_READ = "dac_read_search"
_PR_SET_MDWE = 65


def compose() -> dict[str, Any]:
    """Return compose.yaml."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    return document


def kubernetes_objects() -> list[dict[str, Any]]:
    """Return the objects for Kubernetes, in their order."""
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/latchkey.yaml").read_text()))


def kubernetes() -> dict[str, dict[str, Any]]:
    """Return the objects for Kubernetes by their kind; of several of a kind, the last."""
    return {each["kind"]: each for each in kubernetes_objects()}


def unit() -> dict[str, list[str]]:
    """Return what the service's unit says in its section [Service], by name."""
    found = defaultdict(list)
    section = (DEPLOY / "systemd/latchkey.service").read_text().partition("[Service]\n")[2]
    for name, value in re.findall(r"^(\w+)=(.*)$", section.partition("\n[")[0], re.MULTILINE):
        found[name].append(value)
    return dict(found)


def strangers(settings: Mapping[str, str]) -> set[str]:
    """Return the names that are no settings, nor the file of one."""
    names = set(table.NAMES) | {f"{name}_FILE" for name in table.SECRETS}
    return set(settings) - names


def load(settings: Mapping[str, str], folder: Path) -> config.Config:
    """Read settings as a server does, with a file for each secret that they name."""
    contents = {
        "JWT_SECRET_KEY_FILE": STRONG,
        "DATABASE_URL_FILE": f"sqlite:///{folder}/latchkey.db",
    }
    places = {}
    for name in contents.keys() & settings.keys():
        places[name] = str(folder / name)
        (folder / name).write_text(contents[name])
    return config.load({**settings, **places}, folder / "no.env")


class Installed:
    """The unit's commands, with folders of their own for settings, state and secret.

    They run as systemd runs them, as far as that goes without it: by a user who is not root,
    without new privileges or memory that can be written and executed.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.state = folder / "state"
        self.settings = folder / "settings"
        secret = folder / "credentials" / "jwt_secret_key"
        for place in (self.state, self.settings, secret.parent):
            place.mkdir(mode=0o755)
        secret.write_text(f"{STRONG}\n")
        shipped = (DEPLOY / "systemd/latchkey.env").read_text()
        assert "/var/lib/latchkey/" in shipped
        text = shipped.replace("/var/lib/latchkey/", f"{self.state}/")
        (self.settings / ".env").write_text(f"{text}PORT={self.port}\n")
        given = dict(line.split("=", 1) for line in unit()["Environment"])
        assert given["JWT_SECRET_KEY_FILE"] == "%d/jwt_secret_key"
        self.environ = clean_environ(**{**given, "JWT_SECRET_KEY_FILE": str(secret)})
        self._become: list[str] = []
        if os.getuid() == 0:
            os.chown(self.state, int(_NOBODY), int(_NOBODY))
            # The code may lie where only root looks. Nothing can be written by this.
            rights = [f"--{kind}-caps=+{_MAY_READ}" for kind in ("inh", "ambient")]
            self._become = [
                *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"),
                *("--no-new-privs", f"--bounding-set=-all,+{_MAY_READ}", *rights),
            ]

    def command(self, name: str, **values: object) -> list[str]:
        """Return a command of the unit, ready to be run."""
        (line,) = unit()[name]
        for key, value in values.items():
            line = line.replace(f"${key}", str(value))
        return [*self._become, *shlex.split(line.replace(_PYTHON, sys.executable))]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.settings,
            env=self.environ,
            umask=0o077,
            preexec_fn=_deny_write_execute,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server until the block ends, if it has not ended by then."""
        with (self.state.parent / "log").open("wb") as log:
            process = subprocess.Popen(
                self.command("ExecStart"),
                cwd=self.settings,
                env=self.environ,
                umask=0o077,
                preexec_fn=_deny_write_execute,  # noqa: PLW1509  # one system call
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(20)

    def log(self) -> str:
        """Everything that the server has printed."""
        return (self.state.parent / "log").read_text()


def _deny_write_execute() -> None:
    """Do what MemoryDenyWriteExecute= does, where the system can (Linux 6.3)."""
    ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)


def has(program: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(program) is not None
