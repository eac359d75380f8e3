"""What tests share: settings, a database of their own, and a server started as a user starts it."""

import functools
import itertools
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
from typing import Any

import pytest
from dotenv import dotenv_values

from service import config, db
from service.config import Config
from service.db import Database
from tests.support.postgresql import Cluster
from tests.support.stores import KINDS, Databases, Files, Store

ROOT = Path(__file__).parent.parent
SECRET = str(dotenv_values(ROOT / ".env.test")["JWT_SECRET_KEY"])
STRONG = "5f1d8c0b7a3e49d26b80c1f7e2a9d3548e6f0b1c7d2a3948f5e6d7c8b9a0f1e2"

pytest_plugins = (
    "tests.support.commands",
    "tests.support.fake",
    "tests.support.keyfiles",
    "tests.support.sso",
    "tests.support.verifiers",
    "tests.support.worlds",
)

REQUIRE_ALL = "LATCHKEY_REQUIRE_ALL_TESTS"
"""Set where a skipped test is a failure, as in CI."""

LONGEST_FIRST = (
    "process/framing",
    "process/fuzz",
    "process/proxy_paths",
    "process/revocation",
    "http/oidc",
    "http/purpose",
    "process/proxy_hosts",
    "process/admission",
    "cli/keys",
    "http/cas",
    "cli/import_users",
    "process/faults_postgresql",
    "cli/cli",
    "process/supervisor",
    "process/clients_keys",
    "process/key_watcher",
    "cli/identities",
    "cli/copy_database",
    "process/clients",
    "http/counts_once",
    "http/lifetimes",
    "browser/admin",
    "process/proxies",
    "process/run",
    "process/crashes",
)
"""Files that take minutes, by the sum of their tests."""

PROVIDERS = {
    "CAS_URL": "https://cas.example.org",
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "latchkey",
    "OIDC_PROVIDERS": "campus",
    "OIDC_CAMPUS_ISSUER": "https://campus.example.org",
    "OIDC_CAMPUS_CLIENT_ID": "latchkey",
}
"""Settings that switch every kind of provider on."""

_FIRST_PORT, _PORTS = 20_000, 12_000
_PATIENCE = 60.0
"""Seconds after which a server hangs: far more than starting takes, also on a busy machine."""

Settings = Callable[..., Config]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something, where everything is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Return what makes a Config: development, bypass on, unless said otherwise.

    Its database is that of the test, if the test has one.
    """
    url = f"sqlite:///{tmp_path}/latchkey.db"
    if "where" in request.fixturenames:
        url = request.getfixturevalue("where").url

    def make(**changes: str) -> Config:
        base = {
            "ENVIRONMENT": "test",
            "JWT_SECRET_KEY": SECRET,
            "BYPASS_AUTH": "true",
            "DATABASE_URL": url,
        }
        return config.load({**base, **changes}, tmp_path / "no.env")

    return make


@pytest.fixture
async def database(where: config.Database) -> AsyncIterator[Database]:
    """Yield an open database with the demo users."""
    async with db.connect(where) as opened:
        yield opened


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, the folder it runs in, its database, its environment."""

    port: int
    folder: Path
    database: config.Database
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


_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.count(_worker * _PORTS // 4 + os.getpid())


def free_port() -> int:
    """Return a port that nothing listens on, and that nothing else is given before it is used.

    None of those that the system hands out itself: a connection of another process would take it.
    Processes that test at the same time begin at unlike places.
    """
    while True:
        port = _FIRST_PORT + next(_ports) % _PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


Start = Callable[..., Server]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield a server that the tests of this process share: databases come and go in it."""
    made = Cluster()
    yield made
    made.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: at the end each would have the machine for itself."""
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}

    def place(item: pytest.Item) -> int:
        name = f"{item.path.parent.name}/{item.path.stem.removeprefix('test_')}"
        return order.get(name, len(order))

    items.sort(key=place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a store on both kinds, or on those that its file names in STORES."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "store" in metafunc.fixturenames and not any("store" in mark.args[0] for mark in marks):
        kinds = getattr(metafunc.module, "STORES", KINDS)
        metafunc.parametrize("store", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest) -> Store:
    """Return where databases come from."""
    found: Store = request.getfixturevalue("files" if request.param == "sqlite" else "databases")
    return found


@pytest.fixture
def where(store: Store, tmp_path: Path) -> Iterator[config.Database]:
    """Yield a database with the demo users, for one test."""
    made = store.seeded(tmp_path)
    yield made
    if isinstance(store, Databases):
        store.drop(made)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the store of SQLite."""
    return Files(functools.cache(lambda: seeded_pattern(tmp_path_factory.mktemp("seeded"))))


@pytest.fixture(scope="session")
def seeded(files: Files) -> Path:
    """Return a SQLite file with the demo users, to copy."""
    return files.pattern() / "data" / "latchkey.db"


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Databases:
    """Return the store of PostgreSQL."""
    return databases_on(cluster, tmp_path_factory.mktemp("seeded"))


@pytest.fixture(scope="session")
def durable() -> Iterator[Cluster]:
    """Yield a server that keeps what it acknowledged, and that the tests here may break."""
    made = Cluster(durable=True, port=free_port())
    yield made
    made.remove()


@pytest.fixture(scope="session")
def durable_databases(tmp_path_factory: pytest.TempPathFactory, durable: Cluster) -> Databases:
    """Return the store of PostgreSQL that may be broken."""
    return databases_on(durable, tmp_path_factory.mktemp("seeded"))


def databases_on(cluster: Cluster, folder: Path) -> Databases:
    """Return what makes databases on a server; the pattern of them is made in a folder."""

    @functools.cache
    def pattern() -> Path:
        made.empty(folder)
        return seeded_pattern(folder)

    made = Databases(cluster, pattern)
    return made


def seeded_pattern(folder: Path) -> Path:
    """Make a database with the demo users, as a user makes it; tests and servers get copies."""
    with (folder / ".env").open("a") as file:
        file.write((ROOT / ".env.test").read_text())
    for step in (("migrate", "up"), ("seed",)):
        done = command(folder, *step)
        assert done.returncode == 0, done.stderr
    return folder


class Running:
    """The servers that run until they are told to end."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._servers: list[Server] = []
        self._shared: dict[tuple[str, str], Server] = {}

    def start(self, store: Store, *, beside: Server | None = None, **changes: str) -> Server:
        """Start a server in a folder of its own, or `beside` another on its database."""
        environ = {"PORT": str(free_port()), **changes}
        if beside is None:
            folder = self._folders.mktemp("server")
            shutil.copy(ROOT / ".env.test", folder / ".env")
            database = store.seeded(folder)
        else:
            folder, database = beside.folder, beside.database
            environ = {**beside.environ, "PUBLIC_URL": beside.url, **environ}
        with (folder / f"log-{environ['PORT']}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                cwd=folder,
                env=clean_environ(**environ),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        server = Server(int(environ["PORT"]), folder, database, environ, process)
        self._servers.append(server)
        wait_for(server)
        return server

    def shared(self, store: Store, name: str, **changes: Any) -> Server:
        """Return a server that all tests share, under a name."""
        key = (store.kind, name)
        if key not in self._shared:
            self._shared[key] = self.start(store, **changes)
        return self._shared[key]

    def end(self) -> None:
        """End all that still run."""
        alive = [server for server in self._servers if server.process.poll() is None]
        for server in alive:
            server.process.terminate()
        for server in alive:
            assert server.process.wait(20) == 0, server.log()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield what starts servers that run until the last test of all."""
    servers = Running(tmp_path_factory)
    yield servers
    servers.end()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[Start]:
    """Yield what starts a server: in a folder of its own, or `beside` another on its database.

    It runs until the file's last test: a hundred that wait for nothing are a load of their own.
    """
    servers = Running(tmp_path_factory)
    yield functools.partial(servers.start, store)
    servers.end()


@pytest.fixture(scope="session")
def server(running: Running, store: Store) -> Server:
    """Return a server that all tests share: they change nothing in it that another would see."""
    return running.shared(store, "server")


@pytest.fixture(scope="session")
def production(running: Running, store: Store) -> Server:
    """Return a server in production, as far as that goes without TLS in front."""
    return running.shared(
        store,
        "production",
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
    )


def wait_for(server: Server) -> None:
    deadline = time.monotonic() + _PATIENCE
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
