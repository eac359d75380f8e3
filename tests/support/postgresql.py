"""PostgreSQL for tests: a cluster of our own in a temporary folder, for as long as they run."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
import pytest

SUPERUSER = "latchkey"
_QUICK = ("fsync=off", "full_page_writes=off")
_ALWAYS = ("max_connections=300", "shared_buffers=32MB", "log_min_messages=fatal")


class Cluster:
    """A server of PostgreSQL that nobody else uses, on a socket in its folder, or on `port` too."""

    def __init__(self, *, durable: bool = False, port: int | None = None) -> None:
        """Make the cluster and start it. Without `durable` a power cut may cost everything."""
        self.folder = Path(tempfile.mkdtemp(prefix="latchkey-pg-"))
        self.port = port or 5432
        self.also: int | None = None  # the port of a standby, for addresses that name both
        self._over_tcp = port is not None
        self._settings = (*_ALWAYS, *(() if durable else _QUICK))
        self._owner = _owner()
        if self._owner:
            shutil.chown(self.folder, self._owner)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._make()
            self.start()
        except BaseException:
            self.remove()
            raise

    def _make(self) -> None:
        self._run(
            *("initdb", "--pgdata", self.folder / "data", "--no-sync"),
            *("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"),
            # An order that is not that of bytes: what depends on the order is found out.
            *("--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en"),
        )

    def _run(self, name: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [_program(name), *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=self._owner,
            group=self._group,
            extra_groups=None if self._owner is None else [],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @property
    def _group(self) -> int | None:
        return None if self._owner is None else pwd.getpwnam(self._owner).pw_gid

    def start(self, **settings: str) -> None:
        """Start the server, and wait until it lets somebody in. It ends with this thread."""
        listen = "127.0.0.1" if self._over_tcp else ""
        given = [
            *self._settings,
            f"listen_addresses={listen}",
            f"unix_socket_directories={self.folder}",
            *(f"{name}={value}" for name, value in settings.items()),
        ]
        command: list[str | Path] = [_program("postgres"), "-D", self.folder / "data"]
        command += ["-p", str(self.port)]
        # Whoever runs the tests may be killed: then the server must not stay.
        guard = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
        with (self.folder / "log").open("ab") as log:
            options = [word for each in given for word in ("-c", each)]
            self._process = self.begin([*guard, *command, *options], log)
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, self.log()
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def begin(self, command: list[str | Path], log: BinaryIO) -> subprocess.Popen[bytes]:
        """Start a program as the user that the server runs as."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            user=self._owner,
            group=self._group,
            extra_groups=None if self._owner is None else [],
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is `fast`, SIGQUIT is `immediate`."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """Stop the server and delete the cluster."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Everything that the server has printed."""
        return (self.folder / "log").read_text()

    def url(self, name: str) -> str:
        """Return the address of a database."""
        if self.also:
            hosts = f"127.0.0.1:{self.port},127.0.0.1:{self.also}"
            return f"postgresql://{SUPERUSER}@{hosts}/{name}?target_session_attrs=read-write"
        if self._over_tcp:
            return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{name}"
        return f"postgresql://{SUPERUSER}@/{name}?host={self.folder}"

    def run(self, sql: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement, past all of ours, and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return [] if cursor.description is None else cursor.fetchall()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop every process of the server: what is connected stays so, and nobody answers."""
        assert self._process is not None
        leader = self._process.pid
        os.kill(leader, signal.SIGSTOP)  # first, so that it has no more children
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        pids = [leader, *map(int, children)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def standby(self, port: int) -> "Cluster":
        """Return a server that follows this one, and waits to take its place."""
        follower = Cluster.__new__(Cluster)
        follower.__dict__.update(self.__dict__)
        follower.folder = Path(tempfile.mkdtemp(prefix="latchkey-pg-"))
        follower.port = port
        if self._owner:
            shutil.chown(follower.folder, self._owner)
        follower._run(
            *("pg_basebackup", "--pgdata", follower.folder / "data", "--write-recovery-conf"),
            *("--checkpoint=fast", "--dbname", self.url("postgres")),
        )
        follower.start()
        self.also = port
        return follower


def _owner() -> str | None:
    """Return whom a server has to run as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise AssertionError("no user that PostgreSQL could run as")


def _folder() -> Path | None:
    """Find the programs of a server: on PATH, where Debian has them, or as pg_config says."""
    places = [Path(place) for place in os.environ["PATH"].split(os.pathsep)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (asked := shutil.which("pg_config")) is not None:
        told = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)
        places.append(Path(told.stdout.strip()))
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "pg_basebackup")):
            return place
    return None


def _program(name: str) -> Path:
    folder = _folder()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (on Debian and Ubuntu: apt install postgresql)")
    return folder / name
