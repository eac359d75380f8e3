"""More connections than descriptors, and the limit of descriptors."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.client import ask
from tests.support.connections import REQUEST
from tests.support.environment import ROOT, clean_environ, free_port
from tests.support.servers import Server, wait_for
from tests.support.stores import Files

STORES = ("sqlite",)


@contextmanager
def limited(files: Files, folder: Path, descriptors: str) -> Iterator[Server]:
    """Run a server that may have so many descriptors."""
    shutil.copy(ROOT / ".env.test", folder / ".env")
    environ = {"PORT": str(free_port())}
    database = files.seeded(folder)
    with (folder / f"log-{environ['PORT']}").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -n {descriptors}; exec "$0" -m service serve', sys.executable],
            cwd=folder,
            env=clean_environ(**environ),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(int(environ["PORT"]), folder, database, environ, process)
    try:
        wait_for(server)
        yield server
    finally:
        process.terminate()
        assert process.wait(20) == 0, server.log()


@pytest.mark.parametrize("sent", [b"", REQUEST, b"GET / HTTP/1.1\r\nHo"], ids=["", "idle", "half"])
def test_more_connections_than_descriptors_keep_no_visitor_out(
    files: Files, tmp_path: Path, sent: bytes
) -> None:
    with limited(files, tmp_path, "256") as server, ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            with suppress(OSError):  # made room already
                connection.sendall(sent)
        for _ in range(20):
            assert ask(server.port, "/auth/bypass?token=admin").status == 302
        log = server.log(until="connections_full")
        assert log.count("connections_full") == 1
        assert "most=128" in log
        assert "Traceback" not in log
        assert "latchkey_connections " in ask(server.port, "/metrics").text


def test_the_soft_limit_of_descriptors_is_raised(files: Files, tmp_path: Path) -> None:
    with limited(files, tmp_path, "4096; ulimit -Sn 512") as server:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
        assert line.split()[3:5] == ["4096", "4096"]
