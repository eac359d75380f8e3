"""Two accounts never meet at one user because of a name that a stranger can choose.

The table of docs/sso.md, over HTTP: whose a name is first, and what becomes of who comes next.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import cas, sso
from tests.support.api import USERS, Api
from tests.support.client import Answer, ask, bearer
from tests.support.commands import command
from tests.support.evil import CLIENT_ID, CLIENT_SECRET, Evil, begin, key, running
from tests.support.openid_sign_in import RSA, session_of, settings_for
from tests.support.openid_sign_in import evil as oidc
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted
from tests.support.stores import run_sql

__all__ = ["oidc"]

OTHER_RSA = key("other")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def campus() -> Iterator[Evil]:
    with running(OTHER_RSA) as made:
        yield made


@pytest.fixture(scope="module")
def cas_server() -> Iterator[Scripted]:
    def who(asked: Asked) -> bytes:
        (ticket,) = asked.query["ticket"]
        return cas.success(cas.stem(ticket).removeprefix("ST-").replace("_at_", "@"))

    with sso.scripted(who) as made:
        yield made


@pytest.fixture(scope="module")
def settings(oidc: Evil, campus: Evil, cas_server: Scripted) -> dict[str, str]:
    """Return settings with all providers; `campus` names people by their checked address."""
    return settings_for(
        oidc,
        OIDC_PROVIDERS="campus",
        OIDC_CAMPUS_ISSUER=campus.url,
        OIDC_CAMPUS_CLIENT_ID=CLIENT_ID,
        OIDC_CAMPUS_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_CAMPUS_USERNAME_CLAIM="email",
        CAS_URL=cas_server.url,
        PROVISION_USERS="true",
        CAS_TRUST_USERNAMES="true",
    )


@pytest.fixture(scope="module")
def servers(start: Start, settings: dict[str, str]) -> dict[str, Server]:
    """Return servers on one database, by what they do with names."""
    trusting = start(**settings)
    return {
        "trusting": trusting,
        "by links alone": start(beside=trusting, CAS_TRUST_USERNAMES="false"),
        "creating nobody": start(beside=trusting, PROVISION_USERS="false"),
    }


class World:
    """A name of its own, and the ways in which somebody comes to be called so."""

    def __init__(self, servers: dict[str, Server], oidc: Evil, campus: Evil) -> None:
        self.servers, self.oidc, self.campus = servers, oidc, campus
        self.server = servers["trusting"]
        self.api = Api(self.server)
        self.name = f"n{next(_numbers)}@example.org"

    @property
    def id(self) -> int:
        """The number of the user who has the name."""
        found = self.api(f"{USERS}?q={self.name}").json
        (number,) = (user["id"] for user in found if user["username"] == self.name)
        return int(number)

    def by_cas(self, name: str = "") -> Answer:
        """Come by CAS."""
        ticket = cas.fresh("ST-" + (name or self.name).replace("@", "_at_"))
        return cas.back(self.server, cas.begin(self.server), ticket)

    def by_oidc(self, subject: str = "stranger") -> Answer:
        """Come by the provider where everybody chooses their name."""
        attempt = begin(self.server.port)
        claims = self.oidc.claims(
            attempt, sub=f"{subject} of {self.name}", preferred_username=self.name
        )
        self.oidc.answers(RSA.sign(claims))
        return attempt.come_back(attempt.good())

    def by_campus(self, subject: str = "student") -> Answer:
        """Come by the provider that checks addresses."""
        attempt = begin(self.server.port, "/auth/oidc/campus")
        claims = self.campus.claims(
            attempt, sub=f"{subject} of {self.name}", email=self.name, email_verified=True
        )
        self.campus.answers(OTHER_RSA.sign(claims))
        return attempt.come_back(attempt.good())

    def by_bypass(self) -> Answer:
        """Come by the development sign-in."""
        return ask(self.server.port, f"/auth/bypass?token={self.name}")

    def by_hand(self) -> Answer:
        """Let an administrator create the user."""
        return self.api(USERS, "POST", {"username": self.name})

    def link(self, provider: str, subject: str) -> None:
        """Let an administrator link an account."""
        done = self.server.cli("user", "link", self.name, provider, subject)
        assert done.returncode == 0, done.stderr

    def unlink(self) -> None:
        """Let an administrator unlink the stranger's account."""
        done = self.server.cli("user", "unlink", self.name, "oidc", f"stranger of {self.name}")
        assert done.returncode == 0, done.stderr

    def rename(self, number: int, name: str) -> None:
        """Let an administrator rename a user."""
        assert self.api(f"{USERS}/{number}", "PATCH", {"username": name}).status == 200

    def delete(self) -> None:
        """Let an administrator delete the user."""
        assert self.api(f"{USERS}/{self.id}", "DELETE").status == 204


Step = Callable[[World], Any]


def renamed(world: World) -> None:
    """Let an administrator give the name to a user whom a stranger's account created."""
    name, world.name = world.name, f"before-{world.name}"
    assert world.by_oidc().status == 302
    number, world.name = world.id, name
    world.rename(number, name)


FIRST: dict[str, list[Step]] = {
    "an administrator": [World.by_hand],
    "an administrator, who linked an OpenID account": [
        World.by_hand,
        lambda world: world.link("oidc", f"stranger of {world.name}"),
    ],
    "CAS": [World.by_cas],
    "an OpenID account": [World.by_oidc],
    "a checked address": [World.by_campus],
    "an OpenID account, renamed": [renamed],
    "an OpenID account, unlinked": [World.by_oidc, World.unlink],
    "an OpenID account, and CAS linked": [
        World.by_oidc,
        lambda world: world.link("cas", world.name),
    ],
    "an OpenID account, deleted": [World.by_oidc, World.delete],
    "CAS, deleted": [World.by_cas, World.delete],
    "CAS, deleted, then an OpenID account": [World.by_cas, World.delete, World.by_oidc],
}
THEN: dict[str, Step] = {
    "CAS": World.by_cas,
    "CAS in capitals": lambda world: world.by_cas(world.name.upper()),
    "the same OpenID account": World.by_oidc,
    "another OpenID account": lambda world: world.by_oidc("another"),
    "a checked address": World.by_campus,
    "another of that address": lambda world: world.by_campus("another"),
    "the bypass": World.by_bypass,
    "an administrator": World.by_hand,
}
SAME, NEW, TAKEN, UNKNOWN = "the same user", "a new user", "username_taken", "identity_unknown"
TRUSTING, UNTRUSTING, CREATING_NOBODY = "trusting", "by links alone", "creating nobody"
TABLE = [
    *[
        (TRUSTING, first, then, SAME)
        for first, thens in {
            "an administrator": ["CAS", "CAS in capitals", "the bypass"],
            "an administrator, who linked an OpenID account": [
                "CAS", "the same OpenID account", "the bypass",
            ],
            "CAS": ["CAS", "CAS in capitals", "the bypass"],
            "an OpenID account": ["the same OpenID account", "the bypass"],
            "a checked address": ["a checked address", "the bypass"],
            "an OpenID account, and CAS linked": ["CAS", "the same OpenID account"],
            "an OpenID account, renamed": ["the bypass"],
        }.items()
        for then in thens
    ],
    *[
        (TRUSTING, first, then, TAKEN)
        for first, thens in {
            "an administrator": [
                "the same OpenID account", "a checked address", "an administrator",
            ],
            "an administrator, who linked an OpenID account": [
                "another OpenID account", "a checked address",
            ],
            "CAS": ["the same OpenID account", "a checked address", "an administrator"],
            "an OpenID account": [
                "CAS", "CAS in capitals", "another OpenID account", "a checked address",
                "an administrator",
            ],
            "a checked address": [
                "CAS", "the same OpenID account", "another of that address", "an administrator",
            ],
            "an OpenID account, renamed": ["CAS"],
            "an OpenID account, unlinked": ["CAS", "the same OpenID account"],
            "CAS, deleted, then an OpenID account": ["CAS"],
        }.items()
        for then in thens
    ],
    (TRUSTING, "an OpenID account, deleted", "CAS", NEW),
    (TRUSTING, "CAS, deleted", "the same OpenID account", NEW),
    (UNTRUSTING, "an administrator", "CAS", TAKEN),
    (UNTRUSTING, "an OpenID account", "CAS", TAKEN),
    (UNTRUSTING, "a checked address", "CAS", TAKEN),
    (UNTRUSTING, "CAS", "CAS", SAME),
    (UNTRUSTING, "CAS", "CAS in capitals", TAKEN),
    (UNTRUSTING, "CAS", "the same OpenID account", TAKEN),
    (CREATING_NOBODY, "an administrator", "CAS", SAME),
    (CREATING_NOBODY, "an administrator, who linked an OpenID account", "CAS", SAME),
    (CREATING_NOBODY, "CAS", "CAS", SAME),
    (CREATING_NOBODY, "an OpenID account", "CAS", UNKNOWN),
    (CREATING_NOBODY, "a checked address", "CAS", UNKNOWN),
    (CREATING_NOBODY, "an OpenID account, unlinked", "CAS", UNKNOWN),
    (CREATING_NOBODY, "an OpenID account, and CAS linked", "CAS", SAME),
    (CREATING_NOBODY, "an administrator", "the same OpenID account", UNKNOWN),
]  # fmt: skip


@pytest.fixture
def world(servers: dict[str, Server], oidc: Evil, campus: Evil) -> World:
    return World(servers, oidc, campus)


@pytest.mark.parametrize(("server", "first", "then", "outcome"), TABLE, ids=str)
def test_a_name_is_whose_it_was(
    world: World, server: str, first: str, then: str, outcome: str
) -> None:
    for step in FIRST[first]:
        answer = step(world)
        assert answer is None or answer.status in {201, 302}, answer.text
    before = None if first.endswith(" deleted") else world.id
    world.server = world.servers[server]
    answer = THEN[then](world)
    if outcome in {SAME, NEW}:
        assert answer.status == 302, answer.text
        shown = ask(world.server.port, "/auth/me", headers=bearer(session_of(answer))).json
        assert shown["username"] == world.name
        assert shown["id"] == world.id
        assert outcome == NEW or shown["id"] == before
    else:
        assert (answer.status, answer.code) == ({TAKEN: 409, UNKNOWN: 403}[outcome], outcome)
        assert answer.all("Set-Cookie") == [] or "jwt=" not in str(answer.all("Set-Cookie"))
        assert world.id == before


def test_a_stranger_who_took_a_name_gets_nothing_of_whoever_comes_by_cas(world: World) -> None:
    stranger = session_of(world.by_oidc())
    answer = world.by_cas()
    assert (answer.json["provider"], answer.json["subject"]) == ("cas", world.name)
    line = f"name_not_trusted provider=cas user={world.name} named_by=oidc"
    assert line in world.server.log(until=line)
    assert ask(world.server.port, "/auth/me", headers=bearer(stranger)).json["roles"] == []
    # The cure: the name becomes free, or the CAS account is linked.
    world.rename(world.id, f"stranger-{world.name}")
    shown = ask(world.server.port, "/auth/me", headers=bearer(session_of(world.by_cas()))).json
    assert (shown["username"], shown["id"]) == (world.name, world.id)
    assert ask(world.server.port, "/auth/me", headers=bearer(stranger)).json["id"] != world.id


def test_a_link_whose_maker_is_not_known_counts_as_a_strangers(world: World) -> None:
    assert world.by_hand().status == 201
    run_sql(
        world.server.database,
        "INSERT INTO identities (provider, subject, user_id, created_at)"
        " VALUES ('oidc', ?, ?, '2026-01-01T00:00:00Z')",
        f"unknown of {world.name}",
        world.id,
    )
    assert world.by_cas().code == TAKEN
    world.link("cas", world.name)
    assert world.by_cas().status == 302


def test_config_check_warns_of_names_that_others_can_take(
    servers: dict[str, Server], settings: dict[str, str]
) -> None:
    folder = servers["trusting"].folder
    for changes, warns in (
        ({}, True),
        ({"PROVISION_USERS": "false"}, False),
        ({"CAS_TRUST_USERNAMES": "false"}, False),
        ({"OIDC_ISSUER": "", "OIDC_CLIENT_ID": "", "OIDC_CLIENT_SECRET": ""}, True),
    ):
        done = command(folder, "config", "check", **{**settings, **changes})
        assert done.returncode == 0, done.stderr
        assert ("Warning: CAS_TRUST_USERNAMES trusts names that" in done.stderr) is warns
