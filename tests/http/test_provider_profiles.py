"""What a user takes from a provider: the user name once; the name and the address each time."""

import json
from typing import Any

import pytest

from tests.support import cas, openid, sso
from tests.support.api import USERS, Api
from tests.support.cas import fresh
from tests.support.client import Answer, ask, bearer
from tests.support.evil import Evil, Reply
from tests.support.openid_sign_in import evil, me, quiet, session_of, settings_for, sign_in
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet"]

pytestmark = pytest.mark.both_stores

ADA = {"name": "Ada L", "email": "ada@x.org", "email_verified": True}


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    return start(**settings_for(evil, PROVISION_USERS="true"))


def arrive(server: Server, evil: Evil, username: str, /, **claims: Any) -> Answer:
    """Sign in with an account that a name belongs to."""
    answer = sign_in(server, evil, sub=f"of {username}", preferred_username=username, **claims)
    assert answer.status == 302, answer.text
    return answer


def headers_of(server: Server, answer: Answer) -> tuple[str, str]:
    """Return the name and the address that an application gets."""
    passed = ask(server.port, "/auth/verify", headers=bearer(session_of(answer)))
    return passed["Remote-Name"], passed["Remote-Email"]


def shown(server: Server, name: str) -> dict[str, Any]:
    """Return a user, as the command line shows it."""
    return dict(json.loads(server.cli("user", "show", name, "--json").stdout))


def changes(server: Server, name: str) -> list[dict[str, Any]]:
    """Return the entries of the audit for changes of a user, the oldest first."""
    api = Api(server)
    (user,) = [each for each in api(f"{USERS}?q={name}").json if each["username"] == name]
    entries = api(f"/api/v1/audit?user={user['id']}&limit=200").json
    return [each for each in reversed(entries) if each["action"] == "user_update"]


# --- Names and addresses follow ------------------------------------------------------------------


def test_name_and_address_follow_the_provider(server: Server, evil: Evil) -> None:
    first = arrive(server, evil, "ada", **ADA)
    assert headers_of(server, first) == ("Ada L", "ada@x.org")
    told = {"name": "Ada King", "email": "king@x.org", "email_verified": True}
    second = arrive(server, evil, "ada", **told)
    assert headers_of(server, second) == ("Ada King", "king@x.org")
    assert headers_of(server, first) == ("Ada King", "king@x.org")
    (change,) = changes(server, "ada")
    assert change["actor"] == {"id": None, "name": "provider:oidc"}
    assert {name: change["detail"][name] for name in ("name", "email")} == {
        "name": "Ada King",
        "email": "king@x.org",
    }
    arrive(server, evil, "ada", **told)
    assert len(changes(server, "ada")) == 1


def test_what_userinfo_tells_follows_too(server: Server, evil: Evil) -> None:
    def tell(**told: Any) -> None:
        evil.replies["/userinfo"] = lambda _: (200, {"sub": "of ida", **told})

    tell(**ADA, preferred_username="ida")
    answer = sign_in(server, evil, sub="of ida")
    tell(name="Ida", email="ida@x.org", email_verified=True)
    answer = sign_in(server, evil, sub="of ida")
    assert headers_of(server, answer) == ("Ida", "ida@x.org")


@pytest.mark.parametrize("reply", [(503, b""), (404, b""), (200, b"[]"), (302, b"")])
def test_a_userinfo_that_fails_changes_nothing(server: Server, evil: Evil, reply: Reply) -> None:
    arrive(server, evil, "eva", name="Eva", email="eva@x.org", email_verified=True)
    evil.replies["/userinfo"] = lambda _: reply
    assert headers_of(server, arrive(server, evil, "eva")) == ("Eva", "eva@x.org")


def test_userinfo_of_another_account_is_refused(server: Server, evil: Evil) -> None:
    arrive(server, evil, "lea", name="Lea")
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "mallory", "name": "M"})
    answer = sign_in(server, evil, sub="of lea")
    assert (answer.status, answer.code) == (401, "sign_in_refused")


def test_userinfo_is_not_asked_where_the_token_tells_all(server: Server, evil: Evil) -> None:
    arrive(server, evil, "una", **{**ADA, "email": "una@x.org"})
    evil.paths()
    arrive(server, evil, "una", **{**ADA, "email": "una@x.org"})
    assert evil.paths() == ["/token"]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"name": None, "email": None},
        {"name": "", "email": "", "email_verified": True},
        {"name": 7, "email": ["a@x.org"], "email_verified": True},
        {"name": "A" * 5000, "email": "no address", "email_verified": True},
        {"name": "Ann\r\nRemote-User: admin", "email": "new@x.org", "email_verified": False},
        {"email": "new@x.org"},
        {"email": "new@x.org", "email_verified": "True"},
    ],
)
def test_what_is_absent_or_cannot_be_used_changes_nothing(
    server: Server, evil: Evil, told: dict[str, Any]
) -> None:
    arrive(server, evil, "ann", name="Ann", email="ann@x.org", email_verified=True)
    assert headers_of(server, arrive(server, evil, "ann", **told)) == ("Ann", "ann@x.org")


def test_an_address_of_another_user_is_not_taken_later_either(server: Server, evil: Evil) -> None:
    Api(server).create("boss", email="B\u00f6ss@example.org")
    arrive(server, evil, "mallory", name="M", email="mallory@x.org", email_verified=True)
    for told in ("b\u00f6ss@example.org", "B\u00f6ss@Example.org"):
        answer = arrive(server, evil, "mallory", name="N", email=told, email_verified=True)
        assert headers_of(server, answer) == ("N", "mallory@x.org")
    assert "email_taken provider=oidc user=mallory" in server.log(until="email_taken")


def test_ones_own_address_in_other_letters_is_taken(server: Server, evil: Evil) -> None:
    arrive(server, evil, "cat", name="Cat", email="cat@x.org", email_verified=True)
    answer = arrive(server, evil, "cat", name="Cat", email="Cat@x.org", email_verified=True)
    assert headers_of(server, answer)[1] == "Cat@x.org"


def test_users_that_others_created_keep_what_they_have(server: Server, evil: Evil) -> None:
    api = Api(server)
    user = api.create("zoe", name="Zoe", email="zoe@x.org")
    openid.link(server, "zoe", "of zoe")
    answer = arrive(server, evil, "zoe", name="Z", email="z@x.org", email_verified=True)
    assert headers_of(server, answer) == ("Zoe", "zoe@x.org")
    # A second account that an administrator links with a user of the provider is not its creator.
    arrive(server, evil, "joe", name="Joe")
    openid.link(server, "joe", "of another")
    other = sign_in(server, evil, sub="of another", name="Another")
    assert headers_of(server, other)[0] == "Joe"
    assert api(f"{USERS}/{user['id']}").json["name"] == "Zoe"


def test_the_user_name_and_the_roles_do_not_follow(server: Server, evil: Evil) -> None:
    arrive(server, evil, "tom", name="Tom")
    answer = sign_in(
        server, evil, sub="of tom", preferred_username="admin", name="Tim", roles=["x"]
    )
    assert me(server, answer)["username"] == "tom"
    assert shown(server, "tom")["name"] == "Tim"


def test_a_disabled_user_is_not_changed(server: Server, evil: Evil) -> None:
    arrive(server, evil, "max", name="Max")
    assert server.cli("user", "disable", "max").returncode == 0
    answer = sign_in(server, evil, sub="of max", name="Moritz")
    assert answer.code == "user_unknown"
    assert shown(server, "max")["name"] == "Max"


def test_it_can_be_switched_off(server: Server, start: Start, evil: Evil) -> None:
    arrive(server, evil, "kim", name="Kim")
    off = start(beside=server, PROVISION_UPDATES="false")
    evil.paths()
    arrive(off, evil, "kim", name="Kimberly")
    assert shown(server, "kim")["name"] == "Kim"
    assert "/userinfo" not in evil.paths()
    without = start(beside=server, PROVISION_USERS="false")
    arrive(without, evil, "kim", name="Kimberly")
    assert shown(server, "kim")["name"] == "Kimberly"


# --- User names ----------------------------------------------------------------------------------


def test_a_user_name_may_be_an_address_with_a_plus(server: Server, evil: Evil) -> None:
    answer = arrive(server, evil, "Ada+Tests@Example.org")
    name = "ada+tests@example.org"
    assert me(server, answer)["username"] == name
    passed = ask(server.port, "/auth/verify", headers=bearer(session_of(answer)))
    assert passed["Remote-User"] == name
    api = Api(server)
    assert [each["username"] for each in api(f"{USERS}?q=ada%2Btests").json] == [name]
    api.create("a+b")
    assert ask(server.port, "/auth/bypass?token=a%2Bb").status == 302
    assert server.cli("user", "create", "c+d").returncode == 0
    assert api(USERS, "POST", {"username": "+a"}).code == "validation_error"


def test_other_names_become_user_names_by_the_rule(start: Start, evil: Evil) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true", PROVISION_USERNAMES="adapt"))
    for told, name in (
        ("Jos\u00e9 N\u00fa\u00f1ez", "jose-nunez"),
        ("CAMPUS\\Ada L.", "ada-l."),
        ("Eve", "eve"),
    ):
        assert me(server, arrive(server, evil, told))["username"] == name
        assert me(server, arrive(server, evil, told))["username"] == name
    taken = sign_in(server, evil, sub="another", preferred_username="OTHER\\ada l.")
    assert (taken.status, taken.code) == (409, "username_taken")
    odd_names: list[Any] = ["\u0410\u0434\u0430", "", "a" * 65, None, 7]
    for odd in odd_names:
        evil.replies["/userinfo"] = lambda _: (200, {"sub": "odd"})
        answer = sign_in(server, evil, sub="odd", preferred_username=odd)
        assert (answer.status, answer.code) == (400, "username_invalid"), odd
    del evil.replies["/userinfo"]
    Api(server).create("chief", email="the-chief@x.org")
    answer = sign_in(server, evil, sub="chief", preferred_username="the chief@x.org")
    assert answer.code == "username_taken"  # as an application may take it for the address


# --- Attributes of CAS ---------------------------------------------------------------------------

MORE = """<cas:attributes>{}</cas:attributes>"""


def attribute(name: str, *values: str) -> str:
    return "".join(f"<cas:{name}>{value}</cas:{name}>" for value in values)


class Campus:
    """A CAS server that tells some attributes, and a service."""

    def __init__(self, start: Start, scripted: sso.Scripted, **settings: str) -> None:
        self.scripted = scripted
        self.server = start(
            CAS_URL=scripted.url,
            CAS_USERNAME_ATTRIBUTE="uid",
            CAS_NAME_ATTRIBUTE="displayName",
            CAS_EMAIL_ATTRIBUTE="mail",
            **settings,
        )

    def arrive(self, user: str, attributes: str) -> Answer:
        """Sign in."""
        self.scripted.script = lambda _: cas.success(user, MORE.format(attributes))
        return cas.back(self.server, cas.begin(self.server), fresh())


def test_cas_names_a_new_user_by_its_attributes(start: Start) -> None:
    with sso.scripted(lambda _: None) as scripted:
        campus = Campus(start, scripted, PROVISION_USERS="true")
        told = attribute("displayName", "Ada L") + attribute("mail", "ada@x.org")
        answer = campus.arrive("u123", told + attribute("uid", "ada"))
        assert me(campus.server, answer)["username"] == "ada"
        assert headers_of(campus.server, answer) == ("Ada L", "ada@x.org")
        told = attribute("displayName", "Ada K") + attribute("mail", "a.k@x.org")
        answer = campus.arrive("u123", told)
        assert headers_of(campus.server, answer) == ("Ada K", "a.k@x.org")
        for odd in ("", attribute("mail", "no", "address"), "<cas:mail><cas:x/></cas:mail>"):
            answer = campus.arrive("u123", odd + attribute("displayName", ""))
            assert headers_of(campus.server, answer) == ("Ada K", "a.k@x.org")


@pytest.mark.parametrize("odd", ["", attribute("uid", ""), attribute("uid", "admin", "eve")])
@pytest.mark.parametrize("trusted", ["true", "false"])
def test_without_the_attribute_the_cas_name_does_not_stand_in(
    start: Start, odd: str, trusted: str
) -> None:
    with sso.scripted(lambda _: None) as scripted:
        campus = Campus(start, scripted, PROVISION_USERS="true", CAS_TRUST_USERNAMES=trusted)
        answer = campus.arrive("admin", odd)
        assert (answer.status, answer.code) == (400, "username_invalid")
        log = campus.server.log(until=answer["X-Request-ID"])
        assert "no user name" in log


def test_a_trusted_name_is_that_of_the_attribute(start: Start) -> None:
    with sso.scripted(lambda _: None) as scripted:
        campus = Campus(start, scripted, CAS_TRUST_USERNAMES="true", PROVISION_USERNAMES="adapt")
        answer = campus.arrive("u123", attribute("uid", "MANAGER"))
        assert me(campus.server, answer)["username"] == "manager"
        for odd in ("man ager", "x\\manager", "m\u00e1nager"):  # never adapted to that of another
            answer = campus.arrive("u123", attribute("uid", odd))
            assert (answer.status, answer.code) == (403, "identity_unknown")
        answer = campus.arrive("admin", attribute("uid", "nobody"))
        assert answer.json["subject"] == "admin"
