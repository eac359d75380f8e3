"""Requests made from the description: nothing breaks, nothing is answered that it does not say."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import ask, bearer
from tests.conftest import Server, Start, clean_environ

EXAMPLES = int(os.environ.get("LATCHKEY_FUZZ", "20"))
"""How many requests for each operation and phase."""

WITHOUT_SESSIONS_END = ["--exclude-path-regex", "(/logout|/sign-out)$"]
ONLY_SESSIONS_END = ["--include-path-regex", "(/logout|/sign-out)$"]
OUT_OF_REACH = 800_000_000_000
"""An id that no generated path names: who asks is not deleted, disabled or renamed meanwhile."""

CONFIGURATION = {
    "bearer": '[auth.openapi.bearer]\nbearer = "{token}"\n',
    "cookie": '[auth.openapi.cookie]\napi_key = "{token}"\n',
}
NEVER_REFUSED = """
[[operations]]
include-path = "/auth/logout"
# Wrong words in its query do not keep anybody from signing out.
checks.negative_data_rejection.enabled = false
"""
# A browser says so with every request that a page of ours makes.
HEADERS = {"bearer": "", "cookie": 'headers = {{ Sec-Fetch-Site = "same-origin" }}\n'}


@pytest.fixture(scope="module")
def fuzzed(start: Start) -> Server:
    """Return a server where `fuzzer` may manage users; what happens in it, others do not see."""
    server = start(LOG_LEVEL="error")
    with sqlite3.connect(server.folder / "data" / "latchkey.db") as database:
        database.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'users'", [OUT_OF_REACH])
    database.close()
    assert server.cli("user", "create", "fuzzer", "--role", "manage_users").returncode == 0
    return server


def issue(server: Server) -> str:
    """Return a token that begins a session of `fuzzer`."""
    return server.cli("token", "issue", "fuzzer").stdout.strip()


def fuzz(server: Server, folder: Path, carrier: str, token: str, *options: str) -> None:
    """Send requests made from /openapi.json, and run every check of schemathesis on the answers."""
    configuration = folder / "schemathesis.toml"
    configuration.write_text(
        (HEADERS[carrier] + CONFIGURATION[carrier]).format(token=token) + NEVER_REFUSED
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
            *("run", f"{server.url}/openapi.json", "--seed", "20261124"),
            *("--max-examples", str(EXAMPLES), "--generation-database", "none"),
            *("--no-color", "--warnings", "off", *options),
        ],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60 + 20 * EXAMPLES,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
def test_every_answer_is_described(fuzzed: Server, tmp_path: Path, carrier: str) -> None:
    token = issue(fuzzed)
    fuzz(fuzzed, tmp_path, carrier, token, *WITHOUT_SESSIONS_END)
    assert ask(fuzzed.port, "/auth/me", headers=bearer(token)).status == 200
    assert "Traceback" not in fuzzed.log()


@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
def test_ending_sessions_is_described(fuzzed: Server, tmp_path: Path, carrier: str) -> None:
    fuzz(fuzzed, tmp_path, carrier, issue(fuzzed), *ONLY_SESSIONS_END)
