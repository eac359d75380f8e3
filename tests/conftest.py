"""What tests share: settings, a database of their own, and a server started as a user starts it."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from dotenv import dotenv_values

from service import config, db, schema, seeds
from service.config import Config
from service.db import Database

ROOT = Path(__file__).parent.parent
SECRET = str(dotenv_values(ROOT / ".env.test")["JWT_SECRET_KEY"])
STRONG = "5f1d8c0b7a3e49d26b80c1f7e2a9d3548e6f0b1c7d2a3948f5e6d7c8b9a0f1e2"

pytest_plugins = ("tests.commands", "tests.fake", "tests.keyfiles", "tests.sso", "tests.verifiers")

REQUIRE_ALL = "LATCHKEY_REQUIRE_ALL_TESTS"
"""Set where a skipped test is a failure, as in CI."""

PROVIDERS = {
    "CAS_URL": "https://cas.example.org",
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "latchkey",
    "OIDC_PROVIDERS": "campus",
    "OIDC_CAMPUS_ISSUER": "https://campus.example.org",
    "OIDC_CAMPUS_CLIENT_ID": "latchkey",
}
"""Settings that switch every kind of provider on."""

Settings = Callable[..., Config]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something, where everything is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return what makes a Config: development, bypass on, unless said otherwise."""

    def make(**changes: str) -> Config:
        base = {
            "ENVIRONMENT": "test",
            "JWT_SECRET_KEY": SECRET,
            "BYPASS_AUTH": "true",
            "DATABASE_URL": f"sqlite:///{tmp_path}/latchkey.db",
        }
        return config.load({**base, **changes}, tmp_path / "no.env")

    return make


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Yield an open database with the demo users."""
    path = tmp_path / "latchkey.db"
    schema.up(path)
    async with db.connect(path) as opened:
        await seeds.apply(opened, seeds.read(seeds.DEMO))
        yield opened


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, the folder it runs in, the environment it has."""

    port: int
    folder: Path
    environ: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://localhost:{self.port}"

    def log(self, until: str = "") -> str:
        """Everything it has printed, as soon as `until` is in it: a line follows its answer."""
        deadline = time.monotonic() + 10
        while until not in (log := (self.folder / f"log-{self.port}").read_text()):
            assert time.monotonic() < deadline, log
            time.sleep(0.01)
        return log

    def cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command beside the server, on the same settings."""
        return command(self.folder, *arguments, stdin=stdin, **self.environ)


def clean_environ(**settings: str) -> dict[str, str]:
    """Return an environment with nothing of the caller's in it but the paths, and coverage's."""
    wanted = ("COVERAGE_", "PYTHONPATH")
    keep = {name: value for name, value in os.environ.items() if name.startswith(wanted)}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **keep, **settings}


def command(
    folder: Path, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m service …` in a folder, with nothing but these settings in the environment."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env=clean_environ(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def unreachable(database: Path) -> Iterator[None]:
    """Keep everybody from reading and writing a SQLite file, by holding all its read locks.

    The locks are those of SQLite's wal.c: five bytes from the 123rd of the shared-memory file.
    """
    with Path(f"{database}-shm").open("r+b") as shared:
        deadline = time.monotonic() + 10
        while True:
            try:
                fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 123)
                break
            except OSError:
                assert time.monotonic() < deadline
        yield


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Start = Callable[..., Server]


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with the demo users, made as a user makes it; servers get copies."""
    folder = tmp_path_factory.mktemp("seeded")
    shutil.copy(ROOT / ".env.test", folder / ".env")
    for step in (("migrate", "up"), ("seed",)):
        done = command(folder, *step)
        assert done.returncode == 0, done.stderr
    return folder / "data" / "latchkey.db"


@contextlib.contextmanager
def starting(folders: pytest.TempPathFactory, seeded: Path) -> Iterator[Start]:
    """Yield what starts servers, and end them at the end."""
    running: list[Server] = []

    def start_server(*, beside: Server | None = None, **changes: str) -> Server:
        environ = {"PORT": str(free_port()), **changes}
        if beside is None:
            folder = folders.mktemp("server")
            shutil.copy(ROOT / ".env.test", folder / ".env")
            (folder / "data").mkdir()
            shutil.copy(seeded, folder / "data" / seeded.name)
        else:
            folder = beside.folder
            environ = {**beside.environ, "PUBLIC_URL": beside.url, **environ}
        with (folder / f"log-{environ['PORT']}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                cwd=folder,
                env=clean_environ(**environ),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        server = Server(int(environ["PORT"]), folder, environ, process)
        running.append(server)
        _wait(server)
        return server

    yield start_server
    alive = [server for server in running if server.process.poll() is None]
    for server in alive:
        server.process.terminate()
    for server in alive:
        assert server.process.wait(20) == 0, server.log()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Start]:
    """Yield what starts a server: in a folder of its own, or `beside` another on its database.

    It runs until the file's last test: a hundred that wait for nothing are a load of their own.
    """
    with starting(tmp_path_factory, seeded) as start_server:
        yield start_server


@pytest.fixture(scope="session")
def start_for_all(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Start]:
    """Yield what starts a server that runs until the last test of all."""
    with starting(tmp_path_factory, seeded) as start_server:
        yield start_server


@pytest.fixture(scope="session")
def server(start_for_all: Start) -> Server:
    """Return a server that all tests share: they change nothing in it that another would see."""
    return start_for_all()


@pytest.fixture(scope="session")
def production(start_for_all: Start) -> Server:
    """Return a server in production, as far as that goes without TLS in front."""
    return start_for_all(
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
    )


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log()
        try:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=1)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise AssertionError(server.log())
