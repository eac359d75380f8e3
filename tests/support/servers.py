"""Servers for tests: in a thread of this process, which takes no time, or in one of their own."""

import asyncio
import contextlib
import functools
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvloop

from service import config
from service.cli import serve
from service.server import run
from service.telemetry import logs
from tests.support.commands import command
from tests.support.environment import ROOT, STRONG, clean_environ, free_port
from tests.support.stores import Store

_PATIENCE = 60.0
"""Seconds after which a server hangs: far more than starting takes, also on a busy machine."""
_ONLY_IN_A_PROCESS = {"WORKERS", "SSL_CERT_FILE"}
"""Settings of whole processes: several of them, and what TLS trusts."""


class ServerThread:
    """The service in a thread: an event loop, settings and a log of its own, and the same code."""

    def __init__(self, folder: Path, environ: dict[str, str], log: Path) -> None:
        """Start; return when the port is open. Raises what the start raises."""
        self._log = log
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"server {log.name}")
        with contextlib.chdir(folder):  # while this thread waits
            self._settings = _load(folder, environ)
            self._thread.start()
            assert self._ready.wait(_PATIENCE), log.read_text()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ask it to stop, as SIGTERM does."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stop.set)

    def wait(self, seconds: float) -> None:
        """Wait until it has stopped in good order."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), self._log.read_text()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        settings = self._settings
        try:
            with (
                self._log.open("a") as stream,
                logs.separate(settings.log_level, settings.log_format, stream),
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # for the thread that waits
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with run.listening(self._settings) as app:
            with self._log.open("a") as stream, contextlib.redirect_stdout(stream):
                await serve.announce(app)
            self._ready.set()
            await self._stop.wait()
            logs.event("stopping")
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, left = await asyncio.wait(left, timeout=1)  # what was just cancelled ends
        assert not left, left


def _load(folder: Path, environ: dict[str, str]) -> config.Config:
    """Read the settings, as a process in a folder does; paths are absolute, as folders change."""
    settings = config.load(clean_environ(**environ))
    assert settings.jwt_keys_file is None or settings.jwt_keys_file.is_absolute()
    if (path := settings.database.path) is not None and not path.is_absolute():
        absolute = {**environ, "DATABASE_URL": f"sqlite:///{folder}/{path}"}
        settings = config.load(clean_environ(**absolute))
    return settings


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, the folder it runs in, its database, its environment."""

    port: int
    folder: Path
    database: config.DatabaseUrl
    environ: dict[str, str]
    runs: subprocess.Popen[bytes] | ServerThread

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://localhost:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that it is, of `start_process`."""
        assert isinstance(self.runs, subprocess.Popen), "it runs in a thread"
        return self.runs

    def log(self, until: str = "") -> str:
        """Everything it has printed, as soon as `until` is in it: a line follows its answer."""
        deadline = time.monotonic() + 10
        while until not in (log := (self.folder / f"log-{self.port}").read_text()):
            assert time.monotonic() < deadline, log
            time.sleep(0.01)
        return log

    def ask_to_stop(self) -> None:
        """Send SIGTERM, or what does the same in a thread."""
        self.runs.stop() if isinstance(self.runs, ServerThread) else self.runs.terminate()

    def stop(self) -> None:
        """Stop it, and wait until it has ended in good order."""
        self.ask_to_stop()
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended, as it was asked to, in good order."""
        if isinstance(self.runs, ServerThread):
            self.runs.wait(20)
        else:
            assert self.runs.wait(20) == 0, self.log()

    def cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command beside the server, on the same settings."""
        return command(self.folder, *arguments, stdin=stdin, **self.environ)


Start = Callable[..., Server]


class Running:
    """The servers that run until they are told to end."""

    def __init__(self, folders: pytest.TempPathFactory, *, in_threads: bool = False) -> None:
        self._folders = folders
        self._in_threads = in_threads
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
        log = folder / f"log-{environ['PORT']}"
        log.touch()
        in_thread = self._in_threads and not _ONLY_IN_A_PROCESS & environ.keys()
        runs = ServerThread(folder, environ, log) if in_thread else _process(folder, environ, log)
        server = Server(int(environ["PORT"]), folder, database, environ, runs)
        self._servers.append(server)
        if isinstance(runs, subprocess.Popen):
            wait_for(server)
        return server

    def shared(self, store: Store, name: str, **changes: str) -> Server:
        """Return a server that the tests of a file share, under a name."""
        key = (store.kind, name)
        if key not in self._shared:
            self._shared[key] = self.start(store, beside=None, **changes)
        return self._shared[key]

    def end(self) -> None:
        """End all that still run."""
        alive = [server for server in self._servers if _is_alive(server)]
        for server in alive:
            server.ask_to_stop()
        for server in alive:
            server.wait()


def _is_alive(server: Server) -> bool:
    return isinstance(server.runs, ServerThread) or server.runs.poll() is None


def _process(folder: Path, environ: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=folder,
            env=clean_environ(**environ),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait_for(server: Server) -> None:
    """Wait until a process answers."""
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


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """Yield what starts servers that run until the file's last test.

    In threads, but for files about processes, unless those say IN_THREADS.
    """
    about_processes = request.path.parent.name == "process"
    in_threads = getattr(request.module, "IN_THREADS", not about_processes)
    servers = Running(tmp_path_factory, in_threads=in_threads)
    yield servers
    servers.end()


@pytest.fixture(scope="module")
def start(running: Running, store: Store) -> Start:
    """Return what starts a server: in a folder of its own, or `beside` another on its database."""
    return functools.partial(running.start, store)


@pytest.fixture(scope="module")
def start_process(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[Start]:
    """Yield what starts a server that is a process, in any file."""
    servers = Running(tmp_path_factory)
    yield functools.partial(servers.start, store)
    servers.end()


@pytest.fixture(scope="module")
def server(running: Running, store: Store) -> Server:
    """Return a server that all tests share: they change nothing in it that another would see."""
    return running.shared(store, "server")


@pytest.fixture(scope="module")
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
