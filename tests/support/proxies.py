"""Real proxies with the files of deploy/: Latchkey and an application behind them, over TLS.

Of the shipped files only addresses, ports, certificates and the places of other files are replaced,
each where it stands (`Deployment.write`); what is replaced and not there fails.
"""

import contextlib
import datetime as dt
import getpass
import http.client
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.environment import clean_environ
from tests.support.keyfiles import key
from tests.support.proxy_site import AUTH, Application, Deployment
from tests.support.servers import Start

PROGRAMS = ("nginx", "caddy", "haproxy")
_OF_HAPROXY = ("user haproxy", "group haproxy", "chroot /var/lib/haproxy")
FILES = (*PROGRAMS, "haproxy-jwt")
"""The shipped configurations: HAProxy has two."""


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
def deployed(
    program: str, folder: Path, start: Start, *, enable: bool = False, **settings: str
) -> Iterator[Deployment]:
    """Run a proxy with its shipped files, Latchkey and an application, until the block ends.

    With `enable`, the lines that the files offer in comments count, too.
    """
    keys = folder / "keys.json"
    key(keys, "generate", JWT_ALGORITHM="ES256")
    with prepared(program, folder) as deployment:
        deployment.enable = enable
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
