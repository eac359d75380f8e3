"""The site behind a real proxy: an application that says what it is asked, over TLS."""

import asyncio
import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import WSMsgType, web

from tests.support import http2
from tests.support.client import Answer
from tests.support.environment import ROOT, free_port
from tests.support.servers import Server

DEPLOY = ROOT / "deploy"
AUTH, APP = "auth.example.org", "app.example.org"
IDENTITY = (
    "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email",
    "X-Auth-Request-User", "X-Auth-Request-Groups", "X-Auth-Request-Email",
    "X-Latchkey-Assertion",
)  # fmt: skip

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Received:
    """A request as the application got it; `peer` tells the connections apart."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body_bytes: int
    peer: int

    def all(self, name: str) -> list[str]:
        """Every value of a header, by whatever spelling an application could take for it."""
        return [value for known, value in self.headers if _spelling(known) == _spelling(name)]

    def __getitem__(self, name: str) -> str:
        """The only value of a header."""
        (value,) = self.all(name)
        return value


def _spelling(name: str) -> str:
    return re.sub("[^a-z0-9]", "-", name.lower())


class Application:
    """An HTTP server that keeps what it receives, and answers with the user it was told of."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        """The targets of requests whose head has come, whether or not their body has."""
        self.received: list[Received] = []
        self.keep: Callable[[Received], None] = self.received.append
        self.port = free_port()
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def requests(self) -> int:
        """How many requests have come, those that cannot be read among them."""
        assert self._runner.server is not None
        return self._runner.server.requests_count

    async def _listen(self) -> None:
        self._runner = web.ServerRunner(
            web.Server(self._answer, max_line_size=65_536, max_field_size=65_536),
            shutdown_timeout=1,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.heads.append(request.raw_path)
        size = 0
        if request.can_read_body:
            async for chunk in request.content.iter_chunked(65536):
                size += len(chunk)
        headers = tuple((name.decode(), value.decode()) for name, value in request.raw_headers)
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[1]
        self.keep(Received(request.method, request.raw_path, headers, size, peer))
        if "upgrade" in request.headers.get("Connection", "").lower():
            return await _echo(request)
        status, extra = self.answers.get(request.path, (200, {}))
        return web.Response(
            status=status, text=request.headers.get("Remote-User", ""), headers=extra
        )


async def _echo(request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{request.headers['Remote-User']}: {message.data}")
    return socket


def enabled(text: str) -> str:
    """Return a file whose commented lines count: those with text, or more space, after the `#`."""
    text = re.sub(r"(?m)^(\s*)#(?=[^\s#!])", r"\1", text)
    return re.sub(r"(?m)^(\s*)#(\s{2,}|\t)(?=[^\s#/])", r"\1\2", text)


@dataclass
class Deployment:
    """A proxy that runs, with Latchkey and an application behind it."""

    program: str
    folder: Path
    application: Application
    port: int = field(default_factory=free_port)
    plain_port: int = field(default_factory=free_port)
    latchkey_port: int = field(default_factory=free_port)
    application_port: int = field(init=False)
    server: Server = field(init=False)
    enable: bool = False
    """Whether the commented lines of the files count: those with text right after the `#`."""

    def __post_init__(self) -> None:
        """Let the proxy lead to the application."""
        self.application_port = self.application.port

    @property
    def auth(self) -> str:
        """Latchkey's address as browsers see it."""
        return f"https://{AUTH}:{self.port}"

    @property
    def app(self) -> str:
        """The application's address as browsers see it."""
        return f"https://{APP}:{self.port}"

    @property
    def is_asking(self) -> bool:
        """Whether the proxy asks Latchkey, and does not verify sessions by itself."""
        return not self.program.endswith("-jwt")

    @property
    def settings(self) -> dict[str, str]:
        """Latchkey's settings, as the files of deploy/ say them."""
        return {
            "PORT": str(self.latchkey_port),
            "PUBLIC_URL": self.auth,
            "COOKIE_DOMAIN": "example.org",
            "ALLOWED_REDIRECTS": self.app,
            "TRUSTED_PROXIES": "127.0.0.1/32",
        }

    def write(self, shipped: str, name: str, replaced: Mapping[str, str]) -> Path:
        """Write a file of deploy/ with other addresses."""
        text = (DEPLOY / shipped).read_text()
        if self.enable:
            text = enabled(text)
        for old, new in replaced.items():
            assert old in text, (shipped, old)
            text = text.replace(old, new)
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        *,
        headers: Headers | Mapping[str, str] = (),
        body: bytes | None = None,
        host: str = APP,
    ) -> Answer:
        """Send one request through the proxy, its headers as they are, and return the answer."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        if body is not None:
            pairs.append(("Content-Length", str(len(body))))
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in pairs]
        with self.connect(host) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            with contextlib.suppress(OSError):  # refused before it was read to the end
                connection.sendall(body or b"")
            response = http.client.HTTPResponse(connection, method=method)
            response.begin()
            body = b"" if response.status == 101 else response.read()
            return Answer(response.status, response.getheaders(), body)

    def send(self, data: bytes, *, patience: float = 0.3) -> bytes:
        """Send raw bytes; return what comes back until the proxy closes or says no more."""
        with self.connect() as connection:
            connection.settimeout(patience)
            received = b""
            with contextlib.suppress(OSError):  # refused before it was sent to its end
                connection.sendall(data)
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def talk(self, text: str, headers: Mapping[str, str]) -> Answer:
        """Open a WebSocket, send a text and return the one that comes back, or the refusal."""
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        }
        lines = ["GET /socket HTTP/1.1", f"Host: {APP}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in {**upgrade, **headers}.items()]
        with self.connect() as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            if response.status != 101:
                return Answer(response.status, response.getheaders(), response.read())
            # One text frame, masked by zeros, and one back (RFC 6455 section 5.2).
            connection.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode())
            _, size = response.fp.read(2)
            return Answer(101, response.getheaders(), response.fp.read(size))

    def send_http_2(self, data: bytes) -> bytes:
        """Send a request of HTTP/2; return the answer, or what came before a refusal."""
        with self.connect(context=SPEAKING_HTTP_2) as connection:
            assert connection.selected_alpn_protocol() == "h2"
            received = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                while not http2.is_over(received) and (chunk := connection.recv(65536)):
                    received += chunk
            return received

    def connect(self, host: str = APP, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Open a connection to the proxy."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        try:
            return (context or TRUSTING).wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def sign_in(self, username: str = "admin") -> str:
        """Sign in through the proxy and return the JWT."""
        answer = self.ask(f"/auth/bypass?token={username}", host=AUTH)
        assert answer.status == 302, answer.text
        return answer.token


def _trusting() -> ssl.SSLContext:
    """Take the throw-away certificates of these tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


TRUSTING, SPEAKING_HTTP_2 = _trusting(), _trusting()
SPEAKING_HTTP_2.set_alpn_protocols(["h2"])
