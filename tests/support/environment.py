"""Settings, ports and an environment for tests."""

import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path

from dotenv import dotenv_values

from service.config import Config

ROOT = Path(__file__).parent.parent.parent
SECRET = str(dotenv_values(ROOT / ".env.test")["JWT_SECRET_KEY"])
STRONG = "5f1d8c0b7a3e49d26b80c1f7e2a9d3548e6f0b1c7d2a3948f5e6d7c8b9a0f1e2"

PROVIDERS = {
    "CAS_URL": "https://cas.example.org",
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "latchkey",
    "OIDC_PROVIDERS": "campus",
    "OIDC_CAMPUS_ISSUER": "https://campus.example.org",
    "OIDC_CAMPUS_CLIENT_ID": "latchkey",
}
"""Settings that switch every kind of provider on."""
EVERYTHING = {**PROVIDERS, "PASSWORD_AUTH": "true", "PASSKEY_AUTH": "true"}
"""Settings that switch every way to sign in on."""

_FIRST_PORT, _PORTS = 20_000, 12_000

Settings = Callable[..., Config]


def clean_environ(**settings: str) -> dict[str, str]:
    """Return an environment with nothing of the caller's in it but the paths, and coverage's."""
    wanted = ("COVERAGE_", "PYTHONPATH")
    keep = {name: value for name, value in os.environ.items() if name.startswith(wanted)}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **keep, **settings}


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
