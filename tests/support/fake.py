"""The fake provider with the service beside it, started as `make run-sso` starts them."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.environment import ROOT, clean_environ, free_port


@dataclass(frozen=True)
class Both:
    """The fake provider, and the service beside it."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    idp: int

    @property
    def url(self) -> str:
        """The service's address."""
        return f"http://localhost:{self.port}"

    @property
    def provider(self) -> str:
        """The provider's address."""
        return f"http://127.0.0.1:{self.idp}"

    def log(self) -> str:
        """Everything that both have printed."""
        return (self.folder / "log").read_text()


def are_open(*ports: int) -> list[bool]:
    """Tell whether something listens on each port."""
    found = []
    for port in ports:
        with socket.socket() as probe:
            found.append(probe.connect_ex(("127.0.0.1", port)) == 0)
    return found


def run_both(folder: Path, seeded: Path) -> Both:
    """Start both, as `make run-sso` does, and wait until they answer."""
    shutil.copy(ROOT / ".env.test", folder / ".env")
    (folder / "data").mkdir()
    shutil.copy(seeded, folder / "data" / seeded.name)
    port, idp = free_port(), free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "idp", "--serve", "--port", str(idp)],
            cwd=folder,
            env=clean_environ(PORT=str(port)),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    both = Both(process, folder, port, idp)
    deadline = time.monotonic() + 30
    while are_open(port, idp) != [True, True]:
        assert process.poll() is None, both.log()
        assert time.monotonic() < deadline, both.log()
        time.sleep(0.05)
    return both


def wait_until_gone(both: Both) -> None:
    """Wait until nothing of both is left."""
    deadline = time.monotonic() + 30
    while both.process.poll() is None or are_open(both.port, both.idp) != [False, False]:
        assert time.monotonic() < deadline, both.log()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Both]:
    started = run_both(tmp_path_factory.mktemp("both"), seeded)
    yield started
    started.process.terminate()
    wait_until_gone(started)
    assert started.process.returncode == 0, started.log()
