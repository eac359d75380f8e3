"""Real proxies with the files of deploy/: Latchkey and an application behind them, over TLS.

Of the shipped files only addresses, ports, certificates and the places of other files are replaced,
each where it stands (`Deployment.write`); what is replaced and not there fails.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import getpass
import http.client
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from aiohttp import WSMsgType, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import http2
from tests.support.client import Answer
from tests.support.environment import ROOT, clean_environ, free_port
from tests.support.keyfiles import key
from tests.support.servers import Server, Start

DEPLOY = ROOT / "deploy"
AUTH, APP = "auth.example.org", "app.example.org"
IDENTITY = (
    "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email",
    "X-Auth-Request-User", "X-Auth-Request-Groups", "X-Auth-Request-Email",
    "X-Latchkey-Assertion",
)  # fmt: skip
PROGRAMS = ("nginx", "caddy", "haproxy")
_OF_HAPROXY = ("user haproxy", "group haproxy", "chroot /var/lib/haproxy")
FILES = (*PROGRAMS, "haproxy-jwt")
"""The shipped configurations: HAProxy has two."""

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
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=1)
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


def _certificate(folder: Path) -> None:
    """Write cert.pem, key.pem and both.pem, good for *.example.org and for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.org")]), critical=False)
        .sign(private, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "cert.pem").write_bytes(made)
    (folder / "key.pem").write_bytes(secret)
    (folder / "both.pem").write_bytes(made + secret)


def _nginx(to: Deployment) -> list[str]:
    folder = to.folder
    to.write("nginx/latchkey-protect.conf", "snippets/latchkey-protect.conf", {})
    to.write(
        "nginx/latchkey.conf",
        "latchkey.conf",
        {
            "127.0.0.1:8080": f"127.0.0.1:{to.latchkey_port}",
            "127.0.0.1:3000": f"127.0.0.1:{to.application_port}",
            "listen 443": f"listen 127.0.0.1:{to.port}",
            "listen 80": f"listen 127.0.0.1:{to.plain_port}",
            "https://app.example.org;": f"{to.app};",
            "/etc/nginx/certs/example.org.pem": f"{folder}/cert.pem",
            "/etc/nginx/certs/example.org.key": f"{folder}/key.pem",
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
    main = folder / "nginx.conf"
    main.write_text(
        f"user {getpass.getuser()}; daemon off; pid {folder}/pid; worker_processes 1;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; {places} include latchkey.conf; }}\n"
    )
    command = ["nginx", "-p", str(folder), "-e", f"{folder}/errors", "-c", str(main)]
    _check([*command, "-t"])
    return command


def _caddy(to: Deployment) -> list[str]:
    path = to.write(
        "caddy/Caddyfile",
        "Caddyfile",
        {
            "127.0.0.1:8080": f"127.0.0.1:{to.latchkey_port}",
            "127.0.0.1:3000": f"127.0.0.1:{to.application_port}",
            "{\n\tservers {": (
                "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n"
                f"\thttps_port {to.port}\n\thttp_port {to.plain_port}\n"
                f"\tstorage file_system {to.folder}/storage\n\tservers {{"
            ),
        },
    )
    named = ["--config", str(path), "--adapter", "caddyfile"]
    _check(["caddy", "validate", *named])
    return ["caddy", "run", *named]


def _haproxy(to: Deployment) -> list[str]:
    script = to.write(
        "haproxy/latchkey.lua", "latchkey.lua", {"abns@latchkey": f"abns@latchkey{to.port}"}
    )
    lua = {
        "abns@latchkey": f"abns@latchkey{to.port}",
        "/etc/haproxy/latchkey.lua": str(script),
        "https://app.example.org)": f"{to.app})",
    }
    return _haproxy_with("haproxy.cfg", to, lua)


def haproxy_jwt(to: Deployment) -> list[str]:
    """Write the variant of HAProxy that asks nobody; latchkey.pem is in the folder already."""
    jwt = {
        "/etc/haproxy/latchkey.pem": f"{to.folder}/latchkey.pem",
        "-m str https://auth.example.org": f"-m str {to.auth}",
        "https://auth.example.org/": f"{to.auth}/",
        "https://app.example.org%": f"{to.app}%",
    }
    return _haproxy_with("haproxy-jwt.cfg", to, jwt)


def _haproxy_with(shipped: str, to: Deployment, more: Mapping[str, str]) -> list[str]:
    path = to.write(
        f"haproxy/{shipped}",
        "haproxy.cfg",
        {
            "127.0.0.1:8080": f"127.0.0.1:{to.latchkey_port}",
            "127.0.0.1:3000": f"127.0.0.1:{to.application_port}",
            "bind :443": f"bind 127.0.0.1:{to.port}",
            "bind :80": f"bind 127.0.0.1:{to.plain_port}",
            "log /dev/log local0": "log stdout format raw local0",
            "/etc/haproxy/certs/example.org.pem": f"{to.folder}/both.pem",
            **({} if _may_be_haproxy() else dict.fromkeys(_OF_HAPROXY, "")),
            **more,
        },
    )
    _check(["haproxy", "-c", "-f", str(path)])
    return ["haproxy", "-f", str(path)]


def _may_be_haproxy() -> bool:
    """Tell whether HAProxy can go on as the user of the file: tests may run as any user."""
    try:
        pwd.getpwnam("haproxy")
    except KeyError:
        return False
    return os.geteuid() == 0 and Path("/var/lib/haproxy").is_dir()


def _check(command: list[str]) -> None:
    """Let a program check its configuration."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


COMMANDS: Mapping[str, Callable[[Deployment], list[str]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
    "haproxy-jwt": haproxy_jwt,
}


@contextlib.contextmanager
def deployed(program: str, folder: Path, start: Start, **settings: str) -> Iterator[Deployment]:
    """Run a proxy with its shipped files, Latchkey and an application, until the block ends."""
    keys = folder / "keys.json"
    key(keys, "generate", JWT_ALGORITHM="ES256")
    with prepared(program, folder) as deployment:
        signing = {"JWT_ALGORITHM": "ES256", "JWT_KEYS_FILE": str(keys), "JWT_SECRET_KEY": ""}
        deployment.server = start(**{**deployment.settings, **signing, **settings})
        with running(deployment, COMMANDS[program](deployment)):
            yield deployment


@contextlib.contextmanager
def deployed_beside(
    other: Application, program: str, folder: Path, application_port: int | None = None
) -> Iterator[Deployment]:
    """Run a proxy with its shipped files and an application; it asks `other` for Latchkey.

    `haproxy-jwt` asks nobody: it is HAProxy with the other file, and a key that signs nothing.
    """
    with prepared(program.removesuffix("-jwt"), folder) as deployment:
        deployment.program, deployment.latchkey_port = program, other.port
        if application_port is not None:
            deployment.application_port = application_port
        (folder / "latchkey.pem").write_bytes(_public_key())
        with running(deployment, COMMANDS[program](deployment)):
            yield deployment


def _public_key() -> bytes:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@contextlib.contextmanager
def prepared(program: str, folder: Path) -> Iterator[Deployment]:
    """Yield what a proxy needs to run, with an application that listens already."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    _certificate(folder)
    with Application() as application:
        yield Deployment(program, folder, application)


@contextlib.contextmanager
def running(deployment: Deployment, command: list[str]) -> Iterator[None]:
    """Run a proxy until the block ends."""
    log = deployment.folder / "proxy.log"
    environ = clean_environ(HOME=str(deployment.folder), XDG_DATA_HOME=str(deployment.folder))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=deployment.folder, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(deployment, process, log)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait(deployment: Deployment, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError, http.client.HTTPException):
            if deployment.ask("/healthz", host=AUTH).status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())
