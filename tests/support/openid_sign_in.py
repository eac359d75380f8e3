"""Sign-in by OpenID Connect at a server whose provider says what a test wants it to."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import openid
from tests.support.client import Answer, ask, bearer, cookie
from tests.support.evil import CLIENT_ID, CLIENT_SECRET, SUBJECT, Evil, begin, key, running
from tests.support.servers import Server, Start

RSA, EC = key("rsa"), key("ec", "ES256")
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def evil() -> Iterator[Evil]:
    with running(RSA, EC) as made:
        yield made


def settings_for(evil: Evil, **changes: str) -> dict[str, str]:
    """Return the settings that lead to a provider."""
    return {
        "OIDC_ISSUER": evil.url,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        **changes,
    }


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    """Return a server where the subject is `user`, and which knows its provider already."""
    made = start(**settings_for(evil))
    openid.link(made, "user", SUBJECT)
    assert sign_in(made, evil).status == 302
    return made


@pytest.fixture(autouse=True)
def quiet(evil: Evil) -> None:
    """Let the provider be good again, and forget what it was asked."""
    evil.replies.clear()
    evil.delay = 0
    evil.paths()


def sign_in(server: Server, evil: Evil, *, path: str = "/auth/oidc", **changes: Any) -> Answer:
    """Sign in all the way, with claims that are changed."""
    attempt = begin(server.port, path)
    evil.answers(RSA.sign(evil.claims(attempt, **changes)))
    return attempt.come_back(attempt.good())


def session_of(answer: Answer) -> str:
    """Return the session's cookie of a sign-in."""
    (line,) = [line for line in answer.all("Set-Cookie") if line.startswith("jwt=")]
    return line.partition("=")[2].partition(";")[0]


def me(server: Server, answer: Answer) -> Any:
    """Return who was signed in."""
    return ask(server.port, "/auth/me", headers=bearer(session_of(answer))).json


def is_in(server: Server, token: str) -> bool:
    """Tell whether a session goes on."""
    return ask(server.port, "/auth/me", headers=cookie(token)).status == 200
