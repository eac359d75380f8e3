"""Nothing about an answer tells whether a user name exists: its bytes, its work, its limits."""

import re
from itertools import count

import pytest

from service.credentials import hashing
from tests.support.client import BROWSER, Answer
from tests.support.passwords import (
    RIGHT,
    attempt,
    by_form,
    give_password,
    quick_hashes,
    stretch_delays,
)
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

NAMES = {
    "admin": "has a password",
    "contributor": "has none",
    "manager": "is disabled, and has a password",
    "nobody": "does not exist",
    "nobody-" + "x" * 57: "does not exist, and is long",
    "no such name!": "cannot exist",
}
_networks = count()


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    server = running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")
    for username in ("admin", "manager"):
        give_password(server, username)
    assert server.cli("user", "disable", "manager").returncode == 0
    return server


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the parameters of each hash that is checked."""
    found: list[str] = []
    really = hashing._matches

    def matches(phc: str, password: str) -> bool:
        found.append(phc.rpartition("$")[0].rpartition("$")[0])
        return really(phc, password)

    monkeypatch.setattr(hashing, "_matches", matches)
    return found


def elsewhere() -> dict[str, str]:
    """Return the headers of a client in a network that no test has used."""
    number = next(_networks)
    return {"X-Forwarded-For": f"10.{number // 256}.{number % 256}.9"}


def comparable(answer: Answer, name: str) -> tuple[object, ...]:
    """Return all of an answer but what is different each time."""
    headers = [pair for pair in answer.headers if pair[0] not in {"X-Request-ID", "Date"}]
    headers = [pair for pair in headers if pair[0] != "Content-Length"]
    body = answer.text.replace(f'value="{name}"', "value")
    return answer.status, tuple(headers), re.sub(r"[0-9a-f]{16}", "", body)


def test_every_name_costs_one_check_of_the_same_parameters(
    site: Server, checked: list[str]
) -> None:
    """Of a hash of 64 MiB, all else takes a hundredth; bench/enumeration.py measures it."""
    for name, what in NAMES.items():
        before = len(checked)
        assert attempt(site.port, name, "a wrong one", **elsewhere()).status == 401
        assert len(checked) == before + 1, what
    assert len(set(checked)) == 1


def test_the_answers_are_equal_for_programs_and_for_browsers(site: Server) -> None:
    for again in range(2):
        programs = {
            comparable(attempt(site.port, name, RIGHT + "?", **elsewhere()), name) for name in NAMES
        }
        pages = {
            comparable(
                by_form(site.port, {**BROWSER, **elsewhere()}, username=name, password="wrong"),
                name,
            )
            for name in NAMES
        }
        assert (len(programs), len(pages)) == (1, 1), again


@pytest.mark.parametrize("name", NAMES)
def test_the_limits_are_equal(site: Server, name: str) -> None:
    site.cli("limits", "clear", name)
    statuses = [attempt(site.port, name, **elsewhere()).status for _ in range(12)]
    # Attempts until now count as well; from the sixth on, each is refused or delays the next.
    assert statuses[-1] == 429
    stretch_delays(site)
    refused = [attempt(site.port, name, password, **elsewhere()) for password in ("wrong", RIGHT)]
    assert {answer.code for answer in refused} == {"too_many_attempts"}
    assert len({comparable(answer, name)[0] for answer in refused}) == 1


def test_a_right_password_of_a_disabled_user_costs_the_same(
    site: Server, checked: list[str]
) -> None:
    site.cli("limits", "clear", "manager")
    with_right = attempt(site.port, "manager", RIGHT, **elsewhere())
    with_wrong = attempt(site.port, "manager", "a wrong one", **elsewhere())
    assert comparable(with_right, "") == comparable(with_wrong, "")
    assert len(checked) == 2
