"""Start and end of a server: what it was asked is answered, and then it is gone."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

import pytest
import uvloop

from service.config import DatabaseUrl
from service.server.run import listening
from service.web import context
from tests.support.client import bearer, sign_in
from tests.support.environment import Settings, free_port
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

ROUNDS = int(os.environ.get("LATCHKEY_STOPS", "5"))
CLIENTS = 8


@contextlib.contextmanager
def connected(server: Server) -> Iterator[HTTPConnection]:
    """Yield a connection on which one request has been answered already."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    yield connection
    connection.close()


def test_who_is_connected_hears_that_it_stops_and_nobody_new_is_let_in(start: Start) -> None:
    server = start()
    with connected(server) as ready, connected(server) as busy, connected(server) as idle:
        busy.putrequest("POST", "/auth/logout")
        busy.putheader("Content-Type", "application/json")
        busy.putheader("Content-Length", "2")
        busy.endheaders()
        server.process.terminate()
        server.log(until=" stopping")
        time.sleep(0.2)
        ready.request("GET", "/readyz")
        answer = ready.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (503, "close")
        assert b'"status":"stopping"' in answer.read()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=10)
        busy.send(b"{}")
        answer = busy.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (302, "close")
        answer.read()
        assert idle.sock is not None
        assert idle.sock.recv(1) == b""
        assert server.process.wait(20) == 0


def test_a_request_that_comes_too_slowly_does_not_hold_it_up(start: Start) -> None:
    server = start()
    with connected(server) as slow:
        slow.putrequest("POST", "/auth/logout")
        slow.putheader("Content-Length", "2")
        slow.endheaders()
        server.process.terminate()
        assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_client_that_does_not_read_does_not_hold_it_up(start: Start, workers: str) -> None:
    server = start(WORKERS=workers)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        assert client.recv(1) == b"H"
        server.process.terminate()
        assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(
    start: Start, number: signal.Signals, workers: str
) -> None:
    server = start(WORKERS=workers)
    with connected(server) as slow:
        slow.putrequest("POST", "/auth/logout")
        slow.putheader("Content-Length", "2")
        slow.endheaders()
        server.process.send_signal(number)
        server.log(until=" stopping")
        server.process.send_signal(number)
        assert server.process.wait(20) == -number
        assert slow.sock is not None
        assert ended(slow.sock)


def ended(connection: socket.socket) -> bool:
    """Tell whether the other side is gone."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@dataclass
class Client:
    """Asks on and on: on one connection for as long as the server keeps it, or each time anew."""

    port: int
    token: str
    keeps: bool
    answered: int = 0
    lost: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Ask until nobody lets us in any more. Who was let in counts on an answer."""
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            with contextlib.closing(connection):
                self._ask_on(connection)

    def _ask_on(self, connection: HTTPConnection) -> None:
        while True:
            try:
                connection.request("GET", "/auth/me", headers=bearer(self.token))
                response = connection.getresponse()
                response.read()
            except (OSError, HTTPException) as error:
                self.lost.append(repr(error))
                return
            if response.status != 200:
                self.lost.append(str(response.status))
            self.answered += 1
            if not self.keeps or response.getheader("Connection") == "close":
                return


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost_when_it_stops_under_load(start: Start, workers: str) -> None:
    answered = 0
    server = start(WORKERS=workers)
    for round_number in range(ROUNDS):
        token = sign_in(server.port)
        clients = [Client(server.port, token, number % 2 == 0) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(0.1 + round_number / 100)
        server.process.terminate()
        for thread in threads:
            thread.join(20)
        assert server.process.wait(20) == 0
        assert [fault for client in clients for fault in client.lost] == []
        answered += sum(client.answered for client in clients)
        server = start(beside=server)
    print(f"\n{ROUNDS} stops with WORKERS={workers}, {answered} requests answered, none lost")  # noqa: T201  # a figure


QUEUE = 50


@dataclass
class Queue:
    """Connections that have been asked on, and that the server has had no time to accept."""

    port: int
    connections: list[HTTPConnection] = field(default_factory=list)
    rounds: int = 0

    def connect(self) -> None:
        """Connect; the system takes part of this, and the server none."""
        for _ in range(QUEUE):
            connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
            connection.request("GET", "/healthz")
            self.connections.append(connection)

    async def work(self) -> None:
        """Keep each round of the loop busy, as many who ask do; count the rounds."""
        while True:
            time.sleep(0.005)  # noqa: ASYNC251  # nothing else runs meanwhile
            await asyncio.sleep(0)
            self.rounds += 1

    def assert_answered(self) -> None:
        """Read all answers."""
        for connection in self.connections:
            with contextlib.closing(connection):
                assert connection.getresponse().status == 200


def test_all_in_the_queue_of_a_busy_process_that_stops_are_answered(
    settings: Settings, where: DatabaseUrl
) -> None:
    del where
    config = settings(PORT=str(free_port()))
    queue = Queue(config.port)

    async def stop_when_asked() -> None:
        async with listening(config):
            queue.connect()
            other_work = asyncio.create_task(queue.work())
        other_work.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stop_when_asked())
    queue.assert_answered()


def test_who_is_in_the_queue_does_not_wait_for_as_many_rounds_of_the_loop(
    settings: Settings, where: DatabaseUrl
) -> None:
    del where
    config = settings(PORT=str(free_port()))
    queue = Queue(config.port)

    async def serve() -> None:
        async with listening(config) as app:
            queue.connect()
            work = asyncio.create_task(queue.work())
            open_now = app[context.METRICS]._watched["connections"]
            async with asyncio.timeout(20):
                while open_now() < QUEUE:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0)
            work.cancel()
            await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
    queue.assert_answered()
    assert queue.rounds < QUEUE / 4
