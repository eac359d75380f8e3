"""docs/limits.md states the bounds that the code has."""

import re

import pytest

from service import app
from service.credentials import attempt_limits, hashing
from service.db import readiness
from service.db.postgresql import database
from service.forward_auth import allow_responses
from service.limits import client_limits
from service.login.sso import pending, replays
from service.providers import deferred_logouts, http_client
from service.revocation import documents
from service.server import run
from service.system import descriptors
from service.telemetry import metrics
from service.tokens import issuer as tokens
from service.web import large_responses
from tests.support.environment import ROOT

TEXT = (ROOT / "docs" / "limits.md").read_text()
MIB = 2**20

STATED = {
    "connections": [
        f"{descriptors.MOST:,}",
        f"minus {descriptors.RESERVED:,}",
        f"at least {client_limits.AT_WORK_SECONDS} s",
        f"{client_limits.YOUNG_SECONDS:.0f} s for a head",
    ],
    "time for a request head": [f"{client_limits.HEAD_SECONDS:.0f} s"],
    "incomplete heads altogether": [f"{client_limits.HEADS_BYTES // MIB} MiB"],
    "large requests": [
        f"{client_limits.LARGE_REQUESTS_BYTES // MIB} MiB",
        f"{client_limits.LARGE_BYTES:,} bytes",
        f"{client_limits.QUEUED} more are read",
    ],
    "idle connections": [f"{run.KEEPALIVE_SECONDS} s"],
    "request bodies": [
        f"{client_limits.BODIES_BYTES // MIB} MiB altogether",
        f"1/{client_limits.BODIES_SHARE} of the connections",
    ],
    "answers that are not read": [
        f"{client_limits.UNREAD_BYTES // MIB} MiB",
        f"{client_limits.UNREAD_EACH_BYTES:,} bytes",
    ],
    "time to read an answer": [f"{client_limits.UNREAD_SECONDS:.0f} s"],
    "feed: documents being made": [
        f"last {documents.RECENT} rows",
        f"{documents.WAITING} wait in a lane",
        f"last rows: {documents.RECENT}",
        f"short document of {documents.SHORT} rows",
        f"{documents.NEAR:,} rows behind",
        f"{documents.SHORT} numbers, {documents.BLOCKS_WAITING} wait",
    ],
    "feed: documents kept": [
        f"{documents.SHARED_SECONDS:.0f} s",
        f"{documents.KEPT_BYTES // MIB} MiB",
        f"{documents.BLOCKS_SHARED_SECONDS:.0f} s, {documents.BLOCKS_KEPT_BYTES // MIB} MiB",
    ],
    "feed: long answers on their way": [
        f"{large_responses.AT_ONCE} of {large_responses.FROM_BYTES:,} bytes",
        f"{large_responses.BYTES_PER_SECOND // MIB} MiB a second",
        (
            f"{large_responses.PATIENCE_SECONDS:.0f} s at most"
            f" (1/{large_responses.HELD_SHARE} of the connections)"
        ),
    ],
    "database, readiness (`/readyz`)": [f"{readiness.SHARED_SECONDS} s"],
    "database, look-ups for people without a session (bypass, passwords, CAS single logout)": [
        f"{app.LOOKUPS_AT_ONCE} at once, {app.LOOKUPS_WAITING:,} waiting"
    ],
    "database, reading with a token": [f"PostgreSQL {database.READERS},"],
    "provider connections": [
        f"{http_client.AT_ONCE} at once for each host, {http_client.WAITING} waiting"
    ],
    "memory of verified tokens": [f"{tokens.REMEMBERED_BYTES // MIB} MiB"],
    "memory of answers of `/auth/verify`": [f"{allow_responses.REMEMBERED_BYTES // MIB} MiB"],
    "memory of single-use answers of providers": [f"{replays.AT_MOST:,}"],
    "CAS logouts without a known session": [
        f"{pending.AT_ONCE:.0f} rows at once and {pending.PER_SECOND:.0f} a second",
        f"{deferred_logouts.AT_MOST:,} more wait",
        f"looks for their sessions for {deferred_logouts.SECONDS:.0f} s",
        f"every {deferred_logouts.INTERVAL_SECONDS:.0f} s",
    ],
    "passwords: hashing": [f"{hashing.WAITING} more wait for each"],
    "disk: `attempt_limits`": [
        f"for networks after {attempt_limits.NETWORK_SECONDS // 60} minutes",
    ],
    "metrics: texts (answers of `/metrics`)": [f"{metrics.TEXTS_PER_SECOND} a second"],
}


def rows() -> dict[str, str]:
    """Return the bounds in the table by their resource."""
    cells = [line.split(" | ") for line in TEXT.splitlines() if re.match(r"\| [^-]", line)]
    return {first.removeprefix("| "): bound for first, bound, *_ in cells[1:]}


@pytest.mark.parametrize("resource", STATED)
def test_the_table_states_what_the_code_does(resource: str) -> None:
    for bound in STATED[resource]:
        assert bound in rows()[resource]


def test_every_row_says_who_and_what() -> None:
    for line in TEXT.splitlines():
        if line.startswith("| "):
            assert line.count(" | ") == 3, line


def test_look_ups_of_strangers_leave_a_reader_free() -> None:
    assert app.LOOKUPS_AT_ONCE < database.READERS
