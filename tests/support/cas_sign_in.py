"""Sign-in by CAS at servers whose provider says what a test wants it to."""

from collections.abc import Iterator

import pytest

from tests.support import sso
from tests.support.cas import stem, success
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted


def who(asked: Asked) -> bytes:
    """Name the user that the ticket is called after: `ST-ada` is `ada`'s."""
    (ticket,) = asked.query["ticket"]
    return success(stem(ticket).removeprefix("ST-").replace("_", " "))


@pytest.fixture(scope="module")
def provider() -> Iterator[Scripted]:
    with sso.scripted(who) as running:
        yield running


@pytest.fixture(scope="module")
def server(start: Start, provider: Scripted) -> Server:
    """Return a server that knows only who is linked."""
    return start(CAS_URL=f"{provider.url}/cas")


def link(server: Server, username: str, subject: str) -> None:
    assert server.cli("user", "link", username, "cas", subject).returncode == 0
