"""Requests made from the description: nothing breaks, nothing is answered that it does not say."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import evil, fuzz_sessions
from tests.support.client import ask, bearer
from tests.support.environment import ROOT, clean_environ
from tests.support.servers import Server, Start

STORES = ("sqlite",)
EXAMPLES = int(os.environ.get("LATCHKEY_FUZZ", "20"))
"""How many requests for each operation and phase."""

ENDS_SESSION = "/auth/logout"
CREDENTIAL = {
    "bearer": '[auth.openapi.bearer]\nbearer = "{}"\n',
    "cookie": '[auth.openapi.cookie]\napi_key = "{}"\n',
}
# A browser says so with every request that a page of ours makes.
HEADERS = {"bearer": "", "cookie": 'headers = { Sec-Fetch-Site = "same-origin" }\n'}
EXCEPTIONS = """
[[operations]]
include-path = "/auth/logout"
# Wrong words in its query do not keep anybody from signing out.
checks.negative_data_rejection.enabled = false

[[operations]]
include-path = "/auth/cas"
# What no schema can say: an attempt of this browser, the XML of a logout request.
checks.positive_data_acceptance.expected-statuses = ["2xx", "302", "400"]
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/auth/oidc"
# The same: an attempt of this browser, a provider that is on, a signed logout token.
checks.positive_data_acceptance.expected-statuses = ["2xx", "302", "400", "404"]
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/(auth/verify|oauth2/auth)$"
# Refusals to a named proxy have no body, and so no type of one.
checks.content_type_conformance.enabled = false

[[operations]]
include-path-regex = "^/api/v1/(users|audit)"
# What no schema can say: which roles there are, what a cursor or an entity tag of ours is.
checks.positive_data_acceptance.expected-statuses = ["2xx", "304", "404", "409", "412", "422"]

[[operations]]
include-path-regex = "^/admin"
# The same; and a form that has done what it says leads on.
checks.positive_data_acceptance.expected-statuses = ["2xx", "303", "404", "409", "412", "422"]
"""


@pytest.fixture(scope="module")
def fuzzed(start: Start) -> Iterator[Server]:
    """Yield a server where `fuzzer` may manage users; what happens in it, others do not see."""
    with evil.running(evil.key("a")) as provider:
        server = start(
            LOG_LEVEL="error",
            CAS_URL="http://127.0.0.1:9",
            OIDC_ISSUER=provider.url,
            OIDC_CLIENT_ID=evil.CLIENT_ID,
            OIDC_PROVIDERS="campus",
            OIDC_CAMPUS_ISSUER=provider.url,
            OIDC_CAMPUS_CLIENT_ID="campus",
        )
        done = server.cli("user", "create", fuzz_sessions.USERNAME, "--role", "manage_users")
        assert done.returncode == 0, done.stderr
        yield server


def fuzz(server: Server, folder: Path, configuration: str, *options: str, **environ: str) -> None:
    """Send requests made from /openapi.json, and run every check of schemathesis on the answers."""
    path = folder / "schemathesis.toml"
    path.write_text(configuration + EXCEPTIONS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(path)),
            *("run", f"{server.url}/openapi.json", "--seed", "20261124"),
            *("--max-examples", str(EXAMPLES), "--generation-database", "none"),
            *("--no-color", "--warnings", "off", *options),
        ],
        cwd=folder,
        env=clean_environ(**{"PYTHONPATH": str(ROOT), **environ}),
        capture_output=True,
        text=True,
        timeout=60 + 20 * EXAMPLES,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
def test_every_answer_is_described(fuzzed: Server, tmp_path: Path, carrier: str) -> None:
    token = fuzzed.cli("token", "issue", fuzz_sessions.USERNAME).stdout.strip()
    fuzz(
        fuzzed,
        tmp_path,
        HEADERS[carrier] + CREDENTIAL[carrier].format(token),
        *("--exclude-path", ENDS_SESSION),
        SCHEMATHESIS_HOOKS="tests.support.fuzz_survival",
        LATCHKEY_FUZZER=str(ask(fuzzed.port, "/auth/me", headers=bearer(token)).json["id"]),
    )
    assert ask(fuzzed.port, "/auth/me", headers=bearer(token)).status == 200
    assert "Traceback" not in fuzzed.log()


@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
def test_ending_a_session_is_described(fuzzed: Server, tmp_path: Path, carrier: str) -> None:
    fuzz(
        fuzzed,
        tmp_path,
        HEADERS[carrier],
        *("--include-path", ENDS_SESSION, "--phases", "examples,coverage,fuzzing"),
        SCHEMATHESIS_HOOKS="tests.support.fuzz_sessions",
        LATCHKEY_CARRIER=carrier,
    )
