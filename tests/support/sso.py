"""What tests of sign-in by a provider share: TLS, a real CAS server, one to script, a browser."""

import asyncio
import contextlib
import datetime as dt
import http.server
import ipaddress
import json
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.support.environment import ROOT, clean_environ, free_port

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
OUR_NAME = "auth.latchkey.test"
"""How browsers know Latchkey in these tests. The provider is on `localhost`: another site."""

OUR_URL = f"https://{OUR_NAME}"
PASSWORD = "of the tests"


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority, and the one certificate that it made."""

    ca: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return what a server speaks TLS by."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder: Path) -> Authority:
    """Make a certificate for all names of these tests."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _named("Latchkey's tests")
    root = (
        _certificate(issuer, issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    names = [
        x509.DNSName(OUR_NAME),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    leaf = (
        _certificate(_named("tests"), issuer, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    made = Authority(folder / "ca.pem", folder / "leaf.pem", folder / "leaf.key")
    made.ca.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


@contextlib.contextmanager
def tls_in_front(authority: Authority, upstream: int) -> Iterator[int]:
    """Speak TLS on a port, and pass everything on to another; yield that port."""
    port, ready = free_port(), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", upstream)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pass_on(reader, their_writer), _pass_on(their_reader, writer))

    async def main() -> None:
        context = authority.server_context()
        server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
        ready.set()
        await stop.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Asked:
    """A request that a scripted provider was sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


Reply = tuple[int, dict[str, str], bytes]
Script = Callable[[Asked], "Reply | bytes | None"]


@dataclass
class Scripted:
    """A provider that answers as a test says: a body, all of a reply, or nothing at all."""

    port: int
    script: Script
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://localhost:{self.port}"


@contextlib.contextmanager
def scripted(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Serve a provider that answers as `script` says; it may be changed at any time."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            address = urlsplit(self.path)
            query = parse_qs(address.query, keep_blank_values=True)
            asked = Asked(self.command, address.path, query, dict(self.headers))
            provider.asked.append(asked)
            answer = provider.script(asked)
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  # the same

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.daemon_threads = True
        provider = Scripted(server.server_port, script)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def real_cas(folder: Path, authority: Authority, our_port: int) -> Iterator[str]:
    """Run django-cas-server, over https; yield its address."""
    port = free_port()
    with tls_in_front(authority, port) as tls_port:
        origin = f"https://localhost:{tls_port}"
        wanted = {
            "port": port,
            "folder": str(folder),
            "origin": origin,
            "service": rf"^https://{OUR_NAME}/(auth/cas(\?.*)?)?$",
            "callback": [OUR_NAME, our_port],
            "users": dict.fromkeys(("user", "manager", "contributor", "Newcomer"), PASSWORD),
        }
        with (folder / "cas.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.support.cas_server"],
                cwd=ROOT,
                env=clean_environ(REQUESTS_CA_BUNDLE=str(authority.ca)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(wanted).encode() + b"\n")
            process.stdin.close()
            ready = process.stdout.readline()
            assert ready == b"ready\n", (folder / "cas.log").read_text()
            yield origin
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Yield what starts browsers, in this file's tests."""
    with sync_playwright() as running:
        yield running


@contextlib.contextmanager
def browser(playwright: Playwright, our_port: int) -> Iterator[Browser]:
    """Yield a Chromium for which our name leads to a port of this machine."""
    rules = f"MAP {OUR_NAME}:443 127.0.0.1:{our_port}"
    arguments = [f"--host-resolver-rules={rules}", "--ignore-certificate-errors"]
    running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield running
    running.close()


def visitor(running: Browser) -> BrowserContext:
    """Return a browser that has never been here, and runs no scripts."""
    context = running.new_context(ignore_https_errors=True, java_script_enabled=False)
    context.set_default_timeout(20_000)
    return context


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
