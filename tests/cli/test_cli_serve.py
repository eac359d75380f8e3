"""`serve` and `healthcheck`: when they fail, and what they say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.test_cli import MIGRATE
from tests.support.commands import Run, refused
from tests.support.environment import STRONG, free_port
from tests.support.servers import Server


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Answer one connection with these bytes; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        server.join()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"ENVIRONMENT": "production", "JWT_SECRET_KEY": STRONG},
            "BYPASS_AUTH must be false in production, because it signs users in without a password",
        ),
        ({}, "The database data/latchkey.db does not exist. " + MIGRATE),
    ],
    ids=["bypass in production", "no database"],
)
def test_serve_does_not_start_and_says_why(
    empty: Path, settings: dict[str, str], words: str
) -> None:
    port = str(free_port())
    public = {"PUBLIC_URL": "https://auth.example.org", "BYPASS_AUTH": "true", "PORT": port}
    assert words in refused(empty, "serve", **public, **settings)
    assert not (empty / "data").exists()


def test_serve_names_a_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(folder, "serve", PORT=str(port)).startswith(
            f"Port {port} is in use by another program. Stop it or use another port"
        )


def test_a_healthcheck_finds_a_server_that_is_alive(server: Server) -> None:
    alive = server.cli("healthcheck")
    assert (alive.returncode, alive.stdout) == (0, "The server is running.\n")


def test_a_healthcheck_without_a_server_fails(run: Run) -> None:
    port = str(free_port())
    code, printed, said = run("healthcheck", PORT=port, HOST="::")
    assert (code, printed) == (1, "")
    assert said.startswith(f"Cannot connect to ::1, port {port}: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "answered with status 503."),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Cannot connect to 127.0.0.1"),
    ],
    ids=["an error", "another protocol"],
)
def test_a_healthcheck_of_what_answers_otherwise_fails(run: Run, answer: bytes, words: str) -> None:
    with answering(answer) as port:
        code, printed, said = run("healthcheck", PORT=str(port))
    assert (code, printed) == (1, "")
    assert words in said
