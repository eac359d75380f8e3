"""The claim link: how the first administrator of a production server comes to be."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import BROWSER, ask, bearer
from tests.support.environment import STRONG
from tests.support.links import use, use_form
from tests.support.passwords import quick_hashes, session_token
from tests.support.servers import Server, Start
from tests.support.stores import run_sql

__all__ = ["quick_hashes"]

SITE = "https://auth.example.org"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "BYPASS_AUTH": "false",
    "PUBLIC_URL": SITE,
    "JWT_SECRET_KEY": STRONG,
    "PASSWORD_AUTH": "true",
}


def claim_link(server: Server) -> str:
    """Return the path of the claim link, which is in the log and on the terminal of a server."""
    server.log(until="claim_link")
    printed = server.log(until="open this link")
    one, same = re.findall(rf"{SITE}(/auth/links/[0-9a-f]{{64}})[\s\"]", printed)
    assert one == same
    return str(one)


@pytest.fixture
def empty(start: Start, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server in production without users, and its database without links."""
    server = start(**PRODUCTION)
    run_sql(server.database, "DELETE FROM users")
    run_sql(server.database, "DELETE FROM roles")
    run_sql(server.database, "DELETE FROM links")
    return server


def again(start: Start, server: Server) -> Server:
    """Start another server beside one."""
    return start(beside=server, PUBLIC_URL=SITE)


def test_a_start_without_a_manager_prints_a_link_that_makes_one(
    start: Start, empty: Server
) -> None:
    server = again(start, empty)
    link = claim_link(server)
    page = ask(server.port, link, headers=BROWSER)
    assert "Become the first administrator" in page.text
    answer = use(server, link, username="Ada")
    assert answer.status == 200, answer.text
    assert [role["role"] for role in answer.json["roles"]] == ["manage_users"]
    manager = bearer(session_token(answer))
    assert [each["username"] for each in ask(server.port, "/api/v1/users", headers=manager).json]
    assert ask(server.port, link).code == "link_invalid"
    assert "/auth/links/" not in again(start, server).log(until="listening")


def test_each_start_prints_a_link_and_the_first_claim_ends_all_others(
    start: Start, empty: Server
) -> None:
    first, second = again(start, empty), again(start, empty)
    links = [claim_link(server) for server in (first, second)]
    assert links[0] != links[1]
    assert use_form(first, links[0], username="ada").status == 302
    assert use(second, links[1], username="eve").code == "link_invalid"
    assert run_sql(second.database, "SELECT username FROM users") == [("ada",)]


@pytest.mark.both_stores
def test_of_twenty_claims_at_once_one_wins(start: Start, empty: Server) -> None:
    servers = [again(start, empty), again(start, empty)]
    links = [claim_link(server) for server in servers]

    def claim(number: int) -> int:
        return use(servers[number % 2], links[number % 2], username=f"user-{number}").status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(claim, range(20)))
    assert sorted(statuses) == [200] + [404] * 19
    assert len(run_sql(empty.database, "SELECT id FROM users")) == 1


def test_a_manager_made_otherwise_ends_the_claim_links(start: Start, empty: Server) -> None:
    server = again(start, empty)
    link = claim_link(server)
    server.cli("role", "create", "manage_users")
    server.cli("user", "create", "root", "--role", "manage_users")
    assert ask(server.port, link).code == "link_invalid"
    assert use(server, link, username="eve").code == "link_invalid"


def test_a_disabled_manager_does_not_count(start: Start, empty: Server) -> None:
    empty.cli("role", "create", "manage_users")
    empty.cli("user", "create", "root", "--role", "manage_users", "--disabled")
    server = again(start, empty)
    link = claim_link(server)
    assert use(server, link, username="root").code == "username_taken"
    assert use(server, link, username="ada").status == 200


@pytest.mark.parametrize(
    "settings",
    [{"PASSWORD_AUTH": "false"}, {"ENVIRONMENT": "test", "PUBLIC_URL": "http://localhost"}],
    ids=["no passwords", "not in production"],
)
def test_other_servers_print_none(start: Start, empty: Server, settings: dict[str, str]) -> None:
    server = start(beside=empty, **{"PUBLIC_URL": SITE, **settings})
    assert "/auth/links/" not in server.log()
    assert run_sql(empty.database, "SELECT * FROM links") == []


def test_a_second_factor_that_everybody_needs_comes_before_the_session(
    start: Start, empty: Server
) -> None:
    server = start(beside=empty, PUBLIC_URL=SITE, SECOND_FACTOR="required")
    answer = use_form(server, claim_link(server), username="ada")
    assert answer.status == 200
    assert answer.all("Set-Cookie") == []
    assert "Sign in" in answer.text
