"""Tokens at the command line: what is issued, inspected and shown."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service import config, keys
from service.tokens import issuer as tokens
from tests.support.commands import Run, done
from tests.support.environment import SECRET, STRONG

ADMIN = {"id": 1, "username": "admin", "roles": [], "version": 1}


def token(key: str = SECRET, now: Callable[[], float] = time.time) -> str:
    """Return a token for admin, signed with a key at some time, for the settings of the tests."""
    settings = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": key}, Path("no.env"))
    issuer = tokens.TokenIssuer(settings, keys.load(settings), clock=now)
    issuer.horizon = 2**62
    return issuer.issue(ADMIN, amr=("bypass",))[0]


def unsigned(**claims: object) -> str:
    """Return what looks like a token and claims anything."""
    parts = (json.dumps({"alg": "HS256"}), json.dumps(claims), "nobody signed this")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def test_a_token_is_issued_and_inspected(folder: Path) -> None:
    issued = done(folder, "token", "issue", "Admin", "--expires-in", "15m").strip()
    seen = json.loads(done(folder, "token", "inspect", "--json", stdin=f"Bearer {issued}\n"))
    assert seen["header"] == {"alg": "HS256", "typ": "JWT"}
    assert seen["verdict"] == "good"
    claims = seen["claims"]
    assert (claims["username"], claims["amr"]) == ("admin", ["cli"])
    assert claims["exp"] - claims["iat"] == 900

    text = done(folder, "token", "inspect", issued)
    assert "manage_users, manage_documents, manage_communities" in text
    assert f"{claims['exp']} (20" in text
    assert text.endswith("verdict     good\n")


def test_a_token_too_large_for_a_cookie_is_not_issued(folder: Path, run: Run) -> None:
    roles = [f"a-role-with-a-very-long-name-to-fill-the-token-{number}" for number in range(60)]
    (folder / "seed.json").write_text(json.dumps({"users": [{"username": "ada", "roles": roles}]}))
    assert run("seed", "seed.json") == (0, "Created ada.\n", "")
    code, printed, said = run("token", "issue", "ada")
    assert (code, printed) == (1, "")
    assert said.startswith("The user ada has too many roles (60)")


@pytest.mark.parametrize(
    ("made", "settings", "verdict"),
    [
        ({"now": lambda: 1e9}, {}, "token_expired: The token has expired. Sign in again."),
        ({"key": STRONG}, {}, "token_invalid: "),
        ({}, {"PUBLIC_URL": "http://localhost:9000"}, "issuer_invalid: "),
        (
            {},
            {"JWT_SECRET_KEY": "short"},
            "not checked: the settings are invalid; run: config check",
        ),
    ],
    ids=["expired", "forged", "another issuer", "no settings"],
)
def test_a_token_that_is_not_good_here_is_shown_with_the_reason(
    run: Run, made: dict[str, Any], settings: dict[str, str], verdict: str
) -> None:
    code, printed, said = run("token", "inspect", "--json", stdin=token(**made), **settings)
    assert (code, said) == (1, "")
    assert json.loads(printed)["claims"]["username"] == "admin"
    assert json.loads(printed)["verdict"].startswith(verdict)


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": [{"name": "admin"}]},
        {"roles": [{"role": 7}]},
        {"roles": [[None]], "aud": {"a": 1}, "exp": "tomorrow", "iat": 10**300, "nbf": -1},
        {"username": "ada\nverdict  good"},
        {"username": "\x1b[2J\x1b[1mada", "a\x1b[2J": "\u202e\x9b1m"},
        {"header alg": "none"},
    ],
    ids=["role without name", "role with a number", "other types", "lines", "escapes", "header"],
)
def test_what_a_stranger_wrote_into_a_token_is_shown_and_plays_no_tricks(
    run: Run, claims: dict[str, object]
) -> None:
    code, printed, said = run("token", "inspect", stdin=unsigned(**claims))
    assert (code, said) == (1, "")
    lines = printed.splitlines()
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.lstrip().startswith("verdict")] == lines[-1:]
    assert lines[0].split() == ["header", "alg", "HS256"]
