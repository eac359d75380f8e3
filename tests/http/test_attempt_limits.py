"""Limits of failed sign-ins: who has to wait, how long, and who does not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from service import db
from tests.support.client import Answer
from tests.support.passwords import (
    RIGHT,
    attempt,
    device,
    give_password,
    quick_hashes,
    stretch_delays,
)
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    server = running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")
    give_password(server, "admin")
    return server


@pytest.fixture(autouse=True)
def cleared(site: Server) -> Iterator[None]:
    yield
    for username in ("admin", "user", "nobody"):
        site.cli("limits", "clear", username)


_networks = count()


def elsewhere() -> dict[str, str]:
    """Return the headers of a client in a network that no test has used."""
    number = next(_networks)
    return {"X-Forwarded-For": f"10.{number // 256}.{number % 256}.9"}


@pytest.mark.parametrize("username", ["admin", "nobody", "not a name"])
def test_from_the_sixth_failure_of_an_account_attempts_wait(site: Server, username: str) -> None:
    """The delay is known before the password is looked at: a right one waits as well."""
    statuses = [attempt(site.port, username, **elsewhere()).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    stretch_delays(site)
    waiting = attempt(site.port, username, RIGHT, **elsewhere())
    assert (waiting.status, waiting.code) == (429, "too_many_attempts")
    assert 500 < int(waiting["Retry-After"]) <= 602
    assert waiting.all("Set-Cookie") == []


def test_the_delay_doubles(site: Server) -> None:
    delays: list[int] = []
    while len(delays) < 4:
        answer = attempt(site.port, "admin", **elsewhere())
        if answer.status == 429:
            delays.append(int(answer["Retry-After"]))
            forget_delay(site)
    assert delays == [1, 2, 4, 8]


def forget_delay(site: Server) -> None:
    """Let the time of the delay pass, without waiting for it."""
    with db.writing_blocking(site.database) as connection:
        connection.execute("UPDATE attempt_limits SET blocked_until = 0")


def test_a_success_starts_the_count_again(site: Server) -> None:
    for _ in range(2):
        for _ in range(5):
            assert attempt(site.port, "admin", **elsewhere()).status == 401
        assert attempt(site.port, "admin", RIGHT, **elsewhere()).status == 200


def test_a_known_device_has_a_count_of_its_own(site: Server) -> None:
    browser = device(attempt(site.port, "admin", RIGHT, **elsewhere()))
    for _ in range(7):
        attempt(site.port, "admin", **elsewhere())
    stretch_delays(site)
    assert attempt(site.port, "admin", RIGHT, **elsewhere()).status == 429
    assert attempt(site.port, "admin", RIGHT, **browser).status == 200
    statuses = [attempt(site.port, "admin", **browser, **elsewhere()).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    stretch_delays(site)
    assert attempt(site.port, "admin", RIGHT, **browser).status == 429
    assert attempt(site.port, "user", **browser, **elsewhere()).status == 401


def test_from_the_31st_failure_of_a_network_attempts_wait(site: Server) -> None:
    def from_address(last: int, username: str) -> Answer:
        return attempt(site.port, username, **{"X-Forwarded-For": f"192.0.2.{last}"})

    statuses = [from_address(each, f"nobody-{each}").status for each in range(31)]
    assert statuses == [401] * 30 + [429]
    stretch_delays(site)
    assert from_address(99, "somebody-else").status == 429
    assert attempt(site.port, "admin", RIGHT, **{"X-Forwarded-For": "192.0.2.7"}).status == 429
    assert attempt(site.port, "admin", RIGHT, **elsewhere()).status == 200


def test_a_network_of_ipv6_is_a_64(site: Server) -> None:
    for each in range(31):
        attempt(site.port, f"v6-{each}", **{"X-Forwarded-For": f"2001:db8:0:1::{each:x}"})
    stretch_delays(site)
    beside = {"X-Forwarded-For": "2001:db8:0:1:ffff::1"}
    other = {"X-Forwarded-For": "2001:db8:0:2::1"}
    assert attempt(site.port, "v6", **beside).status == 429
    assert attempt(site.port, "v6", **other).status == 401


@pytest.mark.both_stores
def test_attempts_at_once_are_not_all_tried(site: Server) -> None:
    """Fifty guesses at once, the right one among them: no more get an answer than one by one."""
    with ThreadPoolExecutor(25) as pool:
        answers = list(
            pool.map(
                lambda _: attempt(site.port, "admin", **elsewhere()).status,
                range(50),
            )
        )
    assert answers.count(401) <= 6
    assert set(answers) <= {401, 429, 503}


def test_limits_are_listed_and_cleared(site: Server) -> None:
    for _ in range(6):
        attempt(site.port, "admin", **elsewhere())
    stretch_delays(site)
    listed = site.cli("limits", "list")
    assert "admin" in listed.stdout
    assert site.cli("limits", "clear", "ADMIN").stdout == "Cleared.\n"
    assert attempt(site.port, "admin", RIGHT, **elsewhere()).status == 200
    assert site.cli("limits", "clear", "admin").stdout == "There is nothing to clear.\n"
