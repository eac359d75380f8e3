"""Sign-in by OpenID Connect over HTTP: whose account it is, and what userinfo tells."""

import json
from typing import Any

import pytest

from tests.support import openid
from tests.support.evil import ACCESS_TOKEN, SUBJECT, Asked, Evil, Reply
from tests.support.openid_sign_in import evil, me, quiet, server, settings_for, sign_in
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]


@pytest.fixture(scope="module")
def generous(start: Start, evil: Evil) -> Server:
    """Return a server that creates unknown people, with the roles in `access.groups`."""
    return start(
        **settings_for(
            evil,
            PROVISION_USERS="true",
            OIDC_USERNAME_CLAIM="nick",
            OIDC_ROLES_CLAIM="access.groups",
            OIDC_ROLES="view_documents=readers; add_documents=cn=writers,dc=example",
        )
    )


def test_an_unknown_subject_is_told_what_to_ask_for(server: Server, evil: Evil) -> None:
    sign_in(server, evil, sub="who comes first")
    evil.paths()  # its description and keys are known now
    answer = sign_in(server, evil, sub="nobody", preferred_username="admin", email="admin@x.org")
    assert (answer.status, answer.code) == (403, "identity_unknown")
    assert (answer.json["provider"], answer.json["subject"]) == ("oidc", "nobody")
    assert evil.paths() == ["/token"]


def test_a_disabled_user_is_refused(server: Server, evil: Evil) -> None:
    openid.link(server, "contributor", "subject-of-contributor")
    assert server.cli("user", "disable", "contributor").returncode == 0
    answer = sign_in(server, evil, sub="subject-of-contributor")
    assert (answer.status, answer.code) == (401, "user_unknown")


def test_a_new_user_gets_name_and_roles_that_the_provider_tells(
    generous: Server, evil: Evil
) -> None:
    told: dict[str, Any] = {
        "nick": "Ada.L",
        "name": "Ada L",
        "email": "ada@x.org",
        "email_verified": True,
    }
    groups = ["readers", "cn=writers,dc=example", "others", 7]
    answer = sign_in(generous, evil, sub="ada", access={"groups": groups}, **told)
    assert me(generous, answer)["username"] == "ada.l"
    roles = [role["role"] for role in me(generous, answer)["roles"]]
    assert sorted(roles) == ["add_documents", "view_documents"]
    shown = generous.cli("user", "show", "ada.l").stdout
    assert "Ada L" in shown
    assert "ada@x.org" in shown
    fewer = sign_in(generous, evil, sub="ada", access={"groups": "readers"}, nick="renamed")
    assert me(generous, fewer)["username"] == "ada.l"
    assert [role["role"] for role in me(generous, fewer)["roles"]] == ["view_documents"]


def test_an_address_that_nobody_has_checked_is_not_taken(generous: Server, evil: Evil) -> None:
    for number, verified in enumerate((False, None, "false", 1)):
        told: dict[str, Any] = {"email": f"e{number}@x.org", "email_verified": verified}
        told |= {"nick": f"e{number}"}
        assert (
            sign_in(generous, evil, sub=f"e{number}", access={"groups": []}, **told).status == 302
        )
        assert f"e{number}@x.org" not in generous.cli("user", "show", f"e{number}").stdout


ODD_FACTS: dict[str, dict[str, str]] = {
    "a-name-of-lines": {"name": "Ada\r\nRemote-User: admin"},
    "a-zero": {"name": "Ada\0"},
    "half-a-character": {"name": "Ada \ud800"},
    "a-name-without-end": {"name": "A" * 5000},
    "two-addresses": {"email": "ada@x.org, admin@x.org"},
    "an-address-with-a-name": {"email": "Admin <ada@x.org>"},
    "no-address": {"email": "ada"},
    "an-address-of-lines": {"email": "ada@x.org\r\nBcc: b@x.org"},
}


@pytest.mark.parametrize("nick", ODD_FACTS)
def test_what_nobody_can_be_called_here_is_left_out(
    generous: Server, evil: Evil, nick: str
) -> None:
    claims: dict[str, Any] = {"nick": nick, "email_verified": True, "access": {"groups": []}}
    answer = sign_in(generous, evil, sub=nick, **claims, **ODD_FACTS[nick])
    assert me(generous, answer)["username"] == nick
    shown = json.loads(generous.cli("user", "show", nick, "--json").stdout)
    assert (shown["name"], shown["email"]) == (None, None)


def test_a_taken_name_is_not_taken_over(generous: Server, evil: Evil) -> None:
    answer = sign_in(generous, evil, sub="new", nick="ADMIN", access={"groups": []})
    assert (answer.status, answer.code) == (409, "username_taken")
    assert answer.json["subject"] == "new"


@pytest.mark.parametrize("name", ["", "../etc", "a b", 7, None, ["a"]])
def test_a_name_that_cannot_be_one_creates_nobody(generous: Server, evil: Evil, name: Any) -> None:
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "odd"})
    answer = sign_in(generous, evil, sub="odd", nick=name, access={"groups": []})
    assert (answer.status, answer.code) == (400, "username_invalid")


def told(evil: Evil, reply: Reply) -> list[Asked]:
    """Let `userinfo` answer so; return where its questions will be found."""
    found: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        found.append(asked)
        return reply

    evil.replies["/userinfo"] = answer
    return found


def test_what_the_id_token_lacks_is_asked_for_with_the_access_token(
    generous: Server, evil: Evil
) -> None:
    more = {"sub": "bob", "nick": "bob", "access": {"groups": ["readers"]}, "iss": "ignored"}
    asked = told(evil, (200, more))
    answer = sign_in(generous, evil, sub="bob")
    assert me(generous, answer)["username"] == "bob"
    assert [role["role"] for role in me(generous, answer)["roles"]] == ["view_documents"]
    assert [each.headers["Authorization"] for each in asked] == [f"Bearer {ACCESS_TOKEN}"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        ((200, {"sub": "mallory", "nick": "eve"}), 401, "sign_in_refused"),
        ((200, {"nick": "eve"}), 401, "sign_in_refused"),
        ((200, b"[]"), 502, "provider_answer_invalid"),
        ((200, b"eyJhbGciOiJub25lIn0.e30."), 502, "provider_answer_invalid"),
        ((401, {}), 502, "provider_answer_invalid"),
        ((302, b""), 502, "provider_answer_invalid"),
        ((500, b""), 503, "provider_unavailable"),
    ],
)
def test_userinfo_of_somebody_else_or_nobody_is_refused(
    generous: Server, evil: Evil, reply: Reply, status: int, code: str
) -> None:
    told(evil, reply)
    answer = sign_in(generous, evil, sub="eve")
    assert (answer.status, answer.code) == (status, code)
    assert generous.cli("user", "show", "eve").returncode == 1


def test_userinfo_is_not_asked_where_nothing_is_missing(server: Server, evil: Evil) -> None:
    asked = told(evil, (200, {"sub": SUBJECT}))
    assert sign_in(server, evil).status == 302
    assert asked == []
