"""Coming back from a provider while somebody changes whose account it is."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import openid
from tests.support.api import USERS, Api
from tests.support.client import Answer, ask, bearer
from tests.support.evil import Evil, begin
from tests.support.openid_sign_in import RSA, evil, session_of, settings_for
from tests.support.servers import Server, Start
from tests.support.stores import writing

__all__ = ["evil"]

pytestmark = pytest.mark.both_stores


@pytest.fixture(autouse=True)
def quiet(evil: Evil) -> None:
    """Let the provider be good again."""
    evil.replies.clear()


@pytest.fixture(scope="module", params=["with rules", "without"])
def server(request: pytest.FixtureRequest, start: Start, evil: Evil) -> Server:
    """Return a server where roles follow the provider, and one where they do not."""
    rules = {"OIDC_ROLES_CLAIM": "groups", "OIDC_ROLES": "manage_documents=docs"}
    return start(**settings_for(evil, **(rules if request.param == "with rules" else {})))


@contextlib.contextmanager
def waiting(send: Callable[[], Answer]) -> Iterator[list[Answer]]:
    """Send a request that waits for the one writer; when the block is left, its answer is there."""
    answers: list[Answer] = []
    begun = threading.Event()

    def run() -> None:
        begun.set()
        answers.append(send())

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    time.sleep(0.5)
    yield answers
    thread.join()


CHANGES: dict[str, tuple[str, str, Any]] = {
    "disabled": ("PATCH", "", {"disabled": True}),
    "unlinked": ("DELETE", "/identities?provider=oidc&subject={subject}", None),
    "deleted": ("DELETE", "", None),
}
Send = Callable[[], Answer]


def coming_and_going(server: Server, evil: Evil, name: str, change: str) -> tuple[Send, Send]:
    """Return what lets a new user come back from the provider, and what sends that user away."""
    api, subject = Api(server), f"subject-of-{name}"
    user = api.create(name)
    openid.link(server, name, subject)
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt, sub=subject, groups=["docs"])))
    method, path, body = CHANGES[change]
    path = f"{USERS}/{user['id']}{path.format(subject=subject)}"
    return lambda: attempt.come_back(attempt.good()), lambda: api(path, method, body)


@pytest.mark.parametrize("change", CHANGES)
def test_who_is_sent_away_while_coming_back_is_not_let_in(
    server: Server, evil: Evil, change: str
) -> None:
    """The change waits for the writer first, so it is made before the session begins."""
    come, go = coming_and_going(server, evil, f"who-is-{change}", change)
    with writing(server.database) as let_go, waiting(go) as gone, waiting(come) as came:
        let_go()
    assert gone[0].status in {200, 204}, gone[0].text
    assert (came[0].status, came[0].code) in {(401, "user_unknown"), (403, "identity_unknown")}
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("change", CHANGES)
def test_who_is_sent_away_having_come_back_is_signed_out(
    server: Server, evil: Evil, change: str
) -> None:
    """The session begins first: the change finds it, and ends it."""
    come, go = coming_and_going(server, evil, f"too-early-{change}", change)
    with writing(server.database) as let_go, waiting(come) as came, waiting(go) as gone:
        let_go()
    assert came[0].status == 302
    assert gone[0].status in {200, 204}, gone[0].text
    token, deadline = session_of(came[0]), time.monotonic() + 10
    while ask(server.port, "/auth/me", headers=bearer(token)).status != 401:
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- A name, and an address, that somebody has checked -------------------------------------------


@pytest.fixture(scope="module")
def by_address(start: Start, evil: Evil) -> Server:
    """Return a server where new users are called as their address is."""
    changes = {"PROVISION_USERS": "true", "OIDC_USERNAME_CLAIM": "email"}
    return start(**settings_for(evil, **changes))


def arrive(server: Server, evil: Evil, told: dict[str, Any], **claims: Any) -> Answer:
    """Sign in; what `userinfo` tells is `told`."""
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt, **claims)))
    evil.replies["/userinfo"] = lambda _: (200, {"sub": claims["sub"], **told})
    return attempt.come_back(attempt.good())


@pytest.mark.parametrize("verified", [False, None, "false", "", 1])
def test_an_address_that_nobody_has_checked_names_nobody(
    by_address: Server, evil: Evil, verified: object
) -> None:
    about = {"email": "ceo@example.org", "email_verified": verified}
    for told, claims in (({}, about), (about, {})):
        answer = arrive(by_address, evil, told, sub="mallory", **claims)
        assert (answer.status, answer.code) == (400, "username_invalid")
        assert "has not verified" in answer.json["detail"]


@pytest.mark.parametrize("verified", [True, "true"])
def test_an_address_that_was_checked_names_whoever_has_it(
    by_address: Server, evil: Evil, verified: object
) -> None:
    about = {"email": "ada@example.org", "email_verified": verified}
    answer = arrive(by_address, evil, {}, sub="ada", **about)
    shown = ask(by_address.port, "/auth/me", headers=bearer(session_of(answer))).json
    assert shown["username"] == "ada@example.org"


@pytest.mark.parametrize(
    ("told", "claims"),
    [
        ({"email": "victim@x.org", "email_verified": True}, {"email": "mine@x.org"}),
        ({"email": "mine@x.org", "email_verified": False}, {"email_verified": True}),
        ({"email": "mine@x.org"}, {"email_verified": True}),
    ],
)
def test_whether_an_address_was_checked_says_only_who_tells_the_address(
    start: Start, evil: Evil, told: dict[str, Any], claims: dict[str, Any]
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    answer = arrive(server, evil, {"preferred_username": "ada", **told}, sub="ada", **claims)
    assert answer.status == 302, answer.text
    assert json.loads(server.cli("user", "show", "ada", "--json").stdout)["email"] is None


# --- An attempt that a browser keeps, and a way on that changes nothing --------------------------


def test_where_one_wanted_to_go_never_makes_a_cookie_too_long(server: Server, evil: Evil) -> None:
    subject = "subject of who goes far"
    if Api(server)(f"{USERS}?q=far").json == []:
        Api(server).create("far")
        openid.link(server, "far", subject)
    for to, kept in (
        ("/" + "a" * 1900, True),
        ("/" + "%22" * 2000, True),
        ("/" + "a" * 7999, True),
    ):
        attempt = begin(server.port, f"/auth/oidc?next={to}")
        assert max(map(len, attempt.cookies.values())) <= 3800
        evil.answers(RSA.sign(evil.claims(attempt, sub=subject, groups=[])))
        answer = attempt.come_back(attempt.good())
        assert answer.status == 302
        assert (answer["Location"] == "/") is not kept


@pytest.mark.parametrize("told", ["böss@example.org", "BÖSS@Example.org"])
def test_a_new_user_does_not_get_the_address_of_another(
    start: Start, evil: Evil, told: str
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    api = Api(server)
    api.create("boss", email="Böss@example.org")
    for number, email in enumerate((told, "mallory@example.org")):
        attempt = begin(server.port)
        claims: dict[str, Any] = {"sub": str(number), "preferred_username": f"mallory-{number}"}
        claims |= {"email": email, "email_verified": True}
        evil.answers(RSA.sign(evil.claims(attempt, **claims)))
        assert attempt.come_back(attempt.good()).status == 302
    emails = [
        json.loads(server.cli("user", "show", f"mallory-{number}", "--json").stdout)["email"]
        for number in range(2)
    ]
    assert emails == [None, "mallory@example.org"]
    assert " email_taken " in server.log(until="email_taken")
    assert "provider=oidc user=mallory-0" in server.log()


@pytest.mark.parametrize("name", ["chief@example.org", "Chief@Example.org"])
def test_a_new_user_is_not_named_by_the_address_of_another(
    start: Start, evil: Evil, name: str
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    Api(server).create("chief", email="Chief@example.org")
    attempt = begin(server.port)
    claims = {"sub": "stranger", "preferred_username": name, "email_verified": False}
    evil.answers(RSA.sign(evil.claims(attempt, **claims)))
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (409, "username_taken")
    assert server.cli("user", "show", name.lower()).returncode == 1
