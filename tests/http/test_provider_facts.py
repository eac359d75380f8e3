"""Facts about a user: empty, several, unverified or unclear ones, and those of `userinfo`."""

import json
from typing import Any

import pytest

from tests.http.test_provider_answers import come_back, refusals
from tests.http.test_provider_json import come_back as come_back_with
from tests.http.test_provider_profiles import Campus, attribute, headers_of, shown
from tests.support import sso
from tests.support.client import Answer
from tests.support.evil import Evil, Reply
from tests.support.openid_sign_in import evil, me, quiet, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet"]

STORES = ("sqlite",)  # no store has a part in this
VERIFIED: dict[str, Any] = {"email_verified": True}


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    return start(**settings_for(evil, PROVISION_USERS="true"))


def arrive(server: Server, evil: Evil, name: str, /, **claims: Any) -> Answer:
    answer = come_back(server, evil, sub=f"of {name}", preferred_username=name, **claims)
    assert answer.status == 302, answer.text
    return answer


def ignored(server: Server, answer: Answer) -> list[str]:
    """Return the claims that were ignored, each with its reason."""
    lines = [line for line in refusals(server, answer).splitlines() if "fact_ignored" in line]
    return [line.partition("claim=")[2].partition(" user=")[0] for line in lines]


def facts(server: Server, name: str) -> tuple[str | None, str | None]:
    user = shown(server, name)
    return user["name"], user["email"]


# --- Empty ---------------------------------------------------------------------------------------

EMPTY = ["", " ", "\t\n", "\u00a0", "\u3000 "]


@pytest.mark.parametrize("text", EMPTY, ids=ascii)
@pytest.mark.parametrize("verified", [True, False, None, "true"])
def test_an_empty_text_is_an_absent_one(
    server: Server, evil: Evil, text: str, verified: object
) -> None:
    name = f"e{EMPTY.index(text)}{str(verified).lower()}"
    told: dict[str, Any] = {"name": text, "email": text, "email_verified": verified}
    for _ in range(2):  # a new user, then one that follows
        assert ignored(server, arrive(server, evil, name, **told)) == []
        assert facts(server, name) == (None, None)


@pytest.mark.parametrize("text", EMPTY, ids=ascii)
def test_an_empty_text_is_told_by_userinfo(start: Start, evil: Evil, text: str) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    told = {"name": "Eve", "email": "eve@x.org", "preferred_username": "eve", **VERIFIED}
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "s", **told})
    none: dict[str, Any] = dict.fromkeys(told, text)
    answer = come_back(server, evil, sub="s", **none)
    assert headers_of(server, answer) == ("Eve", "eve@x.org")
    assert me(server, answer)["username"] == "eve"


def test_an_empty_address_is_absent_for_requirements_and_user_names(
    start: Start, evil: Evil
) -> None:
    settings = {"OIDC_REQUIRE": "email_domain=x.org", "OIDC_USERNAME_CLAIM": "email"}
    server = start(**settings_for(evil, PROVISION_USERS="true", **settings))
    answer = come_back(server, evil, sub="s", email="", **VERIFIED)
    assert (answer.status, answer.code) == (502, "provider_answer_invalid")  # userinfo was asked
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "s", "email": ""})
    answer = come_back(server, evil, sub="s", email="", **VERIFIED)
    assert answer.code == "account_not_allowed"
    assert "requirement=email_domain reason=absent" in refusals(server, answer)
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "s", "email": "s@x.org", **VERIFIED})
    answer = come_back(server, evil, sub="s", email="", **VERIFIED)
    assert me(server, answer)["username"] == "s@x.org"


# --- Only userinfo has it ------------------------------------------------------------------------


def test_a_new_user_has_what_userinfo_tells(server: Server, evil: Evil) -> None:
    told = {"name": "Uma", "email": "uma@x.org", **VERIFIED}
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "of uma", **told})
    evil.paths()
    assert headers_of(server, arrive(server, evil, "uma")) == ("Uma", "uma@x.org")
    assert "/userinfo" in evil.paths()


def test_a_new_user_has_the_name_of_the_token_and_the_address_of_userinfo(
    server: Server, evil: Evil
) -> None:
    told = {"name": "Another", "email": "udo@x.org", **VERIFIED}
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "of udo", **told})
    assert headers_of(server, arrive(server, evil, "udo", name="Udo")) == ("Udo", "udo@x.org")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((503, b""), "userinfo_unavailable"),
        ((404, b""), "userinfo_invalid"),
        ((403, {}), "userinfo_invalid"),
        ((200, b"[]"), "userinfo_invalid"),
        ((200, b"eyJhbGciOiJub25lIn0.e30.YQ"), "userinfo_unsupported"),
        ((200, b" " * 70_000), "userinfo_too_large"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_a_userinfo_that_fails_keeps_no_new_user_out(
    server: Server, evil: Evil, reply: Reply, reason: str
) -> None:
    evil.replies["/userinfo"] = lambda _: reply
    answer = arrive(server, evil, f"{reason}{reply[0]}", name="N")
    assert headers_of(server, answer)[0] == "N"
    assert f"userinfo_failed provider=oidc reason={reason}" in refusals(server, answer)


def test_userinfo_of_another_account_creates_nobody(server: Server, evil: Evil) -> None:
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "mallory", "name": "M"})
    answer = come_back(server, evil, sub="of vic", preferred_username="vic")
    assert (answer.status, answer.code) == (401, "sign_in_refused")


def test_userinfo_is_not_asked_for_a_new_user_of_whom_the_token_tells_all(
    server: Server, evil: Evil
) -> None:
    evil.paths()
    arrive(server, evil, "all", name="All", email="all@x.org", **VERIFIED)
    assert "/userinfo" not in evil.paths()


def test_userinfo_is_not_asked_for_a_scope_that_is_not_requested(start: Start, evil: Evil) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true", OIDC_SCOPES="openid"))
    arrive(server, evil, "few")
    assert "/userinfo" not in evil.paths()


# --- Verified or not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verified", "reason"),
    [
        (True, None),
        ("true", None),
        (False, "not_verified"),
        ("false", "not_verified"),
        (None, "not_verified"),
        (1, "verified_not_boolean"),
        ("yes", "verified_not_boolean"),
        ("", "not_verified"),
        (["true"], "verified_not_boolean"),
        ({}, "verified_not_boolean"),
    ],
    ids=str,
)
def test_only_true_is_verified_also_as_a_text(
    start: Start, evil: Evil, verified: object, reason: str | None
) -> None:
    claims: dict[str, Any] = {
        "sub": "v",
        "email": "v@x.org",
        "email_verified": verified,
        "name": "V",
    }
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    answer = come_back(server, evil, preferred_username="v", **claims)
    assert headers_of(server, answer)[1] == ("-" if reason else "v@x.org")
    assert ignored(server, answer) == ([f"email reason={reason}"] if reason else [])
    changes = {"OIDC_REQUIRE": "email_domain=x.org", "OIDC_USERNAME_CLAIM": "email"}
    strict = start(**settings_for(evil, PROVISION_USERS="true", **changes))
    answer = come_back(strict, evil, **claims)
    assert (answer.status == 302) is (reason is None)
    if reason:
        assert answer.code == "account_not_allowed"
        assert f"requirement=email_domain reason={reason}" in refusals(strict, answer)


@pytest.mark.parametrize("email", [7, ["x@y.org"], {"value": "x@y.org"}, True], ids=str)
@pytest.mark.parametrize("verified", [True, False])
def test_an_address_that_is_no_text_is_called_so(
    server: Server, evil: Evil, email: object, *, verified: bool
) -> None:
    name = f"n{type(email).__name__}{verified}".lower()
    answer = arrive(server, evil, name, name="N", email=email, email_verified=verified)
    assert ignored(server, answer) == ["email reason=not_text"]


# --- Unclear -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (b'"name": "Ada \\ud83d"', "name reason=characters"),
        (b'"name": "J\xf6rg"', "name reason=characters"),
        (b'"name": "A", "name": "B"', "name reason=duplicate"),
        (b'"name": 1e999', "name reason=not_text"),
        (b'"name": ' + b"[" * 99 + b"]" * 99, "name reason=not_text"),
        (b'"name": "A", "email": "\\ud83d@x.org", "email_verified": true',
         "email reason=characters"),
        (b'"name": "A", "email": "a@x.org", "email": "b@x.org", "email_verified": true',
         "email reason=duplicate"),
        (b'"name": "A", "email": "a@x.org", "email_verified": false, "email_verified": true',
         "email reason=verified_not_boolean"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_fact_that_is_unclear_is_ignored_and_logged(
    start: Start, evil: Evil, members: bytes, found: str
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    for _ in range(2):
        answer = come_back_with(server, evil, members, sub="u", preferred_username="u")
        assert answer.status == 302, answer.text
        assert ignored(server, answer) == [found]
    assert json.dumps(facts(server, "u")) in ("[null, null]", '["A", null]')


@pytest.mark.parametrize(
    "members",
    [
        b'"preferred_username": "a\\ud83d"',
        b'"preferred_username": "a", "preferred_username": "b"',
    ],
)
def test_a_user_name_that_is_unclear_creates_nobody(
    server: Server, evil: Evil, members: bytes
) -> None:
    answer = come_back_with(server, evil, members, sub="unclear")
    assert (answer.status, answer.code) == (400, "username_invalid")


# --- Several values, or none, of a CAS attribute -------------------------------------------------


def cas_ignored(campus: Campus, answer: Answer) -> list[str]:
    assert answer.status == 302, answer.text
    return ignored(campus.server, answer)


NESTED = "<cas:{0}><cas:value>x@y.org</cas:value></cas:{0}>"
SEVERAL: list[tuple[str, tuple[str, str], list[str]]] = [
    (attribute("mail", "a@x.org", "b@x.org"), ("-", "a@x.org"), []),
    (attribute("mail", "", "b@x.org"), ("-", "b@x.org"), []),
    (attribute("mail", "no address", " c@x.org "), ("-", "c@x.org"), []),
    (attribute("mail", "no address", "none"), ("-", "-"), ["email reason=not_an_address"]),
    (attribute("displayName", "Ada\u202e", "Ada L", "A"), ("Ada L", "-"), []),
    (attribute("displayName", "x" * 201), ("-", "-"), ['name reason="over 200 characters"']),
    (NESTED.format("mail"), ("-", "-"), ["email reason=not_text"]),
    (NESTED.format("mail") + attribute("mail", "d@x.org"), ("-", "d@x.org"), []),
    (NESTED.format("displayName") + attribute("mail", ""), ("-", "-"), ["name reason=not_text"]),
    (attribute("mail", "") + attribute("displayName", "", " "), ("-", "-"), []),
    ("", ("-", "-"), []),
]


@pytest.mark.parametrize("row", range(len(SEVERAL)))
def test_the_first_usable_value_of_a_cas_attribute_is_taken(start: Start, row: int) -> None:
    attributes, found, logged = SEVERAL[row]
    with sso.scripted(lambda _: None) as scripted:
        campus = Campus(start, scripted, PROVISION_USERS="true")
        for _ in range(2):
            answer = campus.arrive("u123", attributes + attribute("uid", "ada"))
            assert cas_ignored(campus, answer) == logged
            assert headers_of(campus.server, answer) == found
