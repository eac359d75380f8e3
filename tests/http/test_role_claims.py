"""Role sync over HTTP: which shapes of the roles claim give a role, take it, or leave it alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import cas, sso
from tests.support.api import USERS, Api
from tests.support.evil import CLIENT_ID, Evil, begin
from tests.support.openid_sign_in import RSA, evil, settings_for
from tests.support.servers import Server, Start
from tests.support.sso import Asked

__all__ = ["evil"]

STORES = ("sqlite",)
ROLE = "manage_documents"
SUBJECT = "subject of the roles"
GRANT, REVOKE = "grant", "revoke"

POINTER = {
    "_claim_names": {"groups": "src1"},
    "_claim_sources": {"src1": {"endpoint": "https://x"}},
}
GROUPS: list[tuple[str, Any, str]] = [
    ("list", ["staff", "others"], GRANT),
    ("list without it", ["others"], REVOKE),
    ("text", "staff", GRANT),
    ("text of blanks", "others staff", GRANT),
    ("text of commas", "others, staff", GRANT),
    ("another text", "others", REVOKE),
    ("object", {"staff": {"1": "example.org"}}, GRANT),
    ("object of truths", {"staff": True}, GRANT),
    ("object of falsehoods", {"staff": False}, REVOKE),
    ("1,000 groups", [f"g{n}" for n in range(999)] + ["staff"], GRANT),
    ("1,000 others", [f"g{n}" for n in range(1000)], REVOKE),
    ("empty list", [], REVOKE),
    ("empty text", "", REVOKE),
    ("empty object", {}, REVOKE),
    ("a longer name", ["staff2", "Staff", "staff "], REVOKE),
    ("null", None, "null"),
    ("number", 7, "number"),
    ("boolean", True, "boolean"),
    ("list of numbers", [7, 8], "list_members"),
    ("list of objects", [{"name": "staff"}], "list_members"),
    ("JSON in a text", '["others"]', "encoded"),
    ("text of semicolons", "others;more", "separator"),
    ("object of lists", {"roles": ["others"]}, "object_members"),
]
"""The value of the claim, and what comes of it: or the reason why nothing does."""

DOCUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("absent", {}, "absent"),
    ("pointer", POINTER, "elsewhere"),
    ("too many for the token", {"hasgroups": True}, "too_many"),
]

NESTED: list[tuple[str, dict[str, Any], str]] = [
    ("path", {"realm_access": {"roles": ["staff"]}}, GRANT),
    ("path to others", {"realm_access": {"roles": []}}, REVOKE),
    ("path without its end", {"realm_access": {}}, "absent"),
    ("path without its parent", {}, "absent"),
    ("path through a text", {"realm_access": "staff"}, "parent_not_object"),
]


@pytest.fixture(autouse=True)
def quiet(evil: Evil) -> None:
    """Let the provider be good again."""
    evil.replies.clear()
    evil.replies["/userinfo"] = lambda _: (200, {"sub": SUBJECT})


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    """Return a server with two providers, whose claims are unlike."""
    rules = f"{ROLE}=staff"
    return start(
        **settings_for(evil, OIDC_ROLES_CLAIM="groups", OIDC_ROLES=rules),
        OIDC_PROVIDERS="nested",
        OIDC_NESTED_ISSUER=evil.url,
        OIDC_NESTED_CLIENT_ID="nested",
        OIDC_NESTED_ROLES_CLAIM="realm_access.roles",
        OIDC_NESTED_ROLES=rules,
    )


@pytest.fixture(scope="module")
def user(server: Server) -> dict[str, Any]:
    """Return a user who comes from both providers."""
    api = Api(server)
    made = api.create("roles")
    for provider in ("oidc", "nested"):
        path = f"{USERS}/{made['id']}/identities"
        assert api(path, "POST", {"provider": provider, "subject": SUBJECT}).status == 201
    return made


def held_after(
    server: Server,
    evil: Evil,
    user: dict[str, Any],
    claims: dict[str, Any],
    *,
    before: bool,
    provider: str = "oidc",
) -> tuple[bool, str]:
    """Sign in with claims; return whether the user has the role then, and what was logged."""
    api = Api(server)
    path = f"{USERS}/{user['id']}"
    assert api(path, "PATCH", {"roles": [ROLE] if before else []}).status == 200
    begin_at, audience = ("/auth/oidc", CLIENT_ID)
    if provider != "oidc":
        begin_at, audience = f"/auth/oidc/{provider}", provider
    attempt = begin(server.port, begin_at)
    document = {**evil.claims(attempt, sub=SUBJECT, aud=audience), **claims}
    evil.answers(RSA.sign(document))
    answer = attempt.come_back(attempt.good())
    assert answer.status == 302, answer.text
    log = server.log(until=answer["X-Request-ID"])
    lines = [line for line in log.splitlines() if answer["X-Request-ID"] in line]
    roles = [role["role"] for role in api(path).json["roles"]]
    return ROLE in roles, "\n".join(lines)


def assert_outcome(
    server: Server,
    evil: Evil,
    user: dict[str, Any],
    claims: dict[str, Any],
    expected: str,
    provider: str = "oidc",
) -> None:
    """Sign in with the role and without, and assert what comes of it."""
    for before in (True, False):
        after, log = held_after(server, evil, user, claims, before=before, provider=provider)
        if expected in {GRANT, REVOKE}:
            assert after is (expected == GRANT)
            assert "roles_unreadable" not in log
        else:
            assert after is before
            assert f"provider={provider}" in log
            assert f"reason={expected}" in log
            assert "claim=" in log
            assert "others" not in log


@pytest.mark.parametrize(
    ("value", "expected"), [row[1:] for row in GROUPS], ids=[r[0] for r in GROUPS]
)
def test_a_shape_of_the_claim(
    server: Server, evil: Evil, user: dict[str, Any], value: Any, expected: str
) -> None:
    assert_outcome(server, evil, user, {"groups": value}, expected)


@pytest.mark.parametrize(
    ("claims", "expected"), [row[1:] for row in DOCUMENTS], ids=[row[0] for row in DOCUMENTS]
)
def test_a_document_without_the_claim(
    server: Server, evil: Evil, user: dict[str, Any], claims: dict[str, Any], expected: str
) -> None:
    assert_outcome(server, evil, user, claims, expected)


@pytest.mark.parametrize(
    ("claims", "expected"), [row[1:] for row in NESTED], ids=[row[0] for row in NESTED]
)
def test_a_path_to_the_claim(
    server: Server, evil: Evil, user: dict[str, Any], claims: dict[str, Any], expected: str
) -> None:
    assert_outcome(server, evil, user, claims, expected, "nested")


def test_what_can_be_read_of_a_list_gives_and_takes_nothing(
    server: Server, evil: Evil, user: dict[str, Any]
) -> None:
    after, log = held_after(server, evil, user, {"groups": ["staff", 7]}, before=False)
    assert after
    assert "reason=list_members" in log
    after, log = held_after(server, evil, user, {"groups": ["others", 7]}, before=True)
    assert after
    assert "reason=list_members" in log


def test_userinfo_tells_what_the_id_token_points_away_from(
    server: Server, evil: Evil, user: dict[str, Any]
) -> None:
    for claims in ({}, POINTER, {"groups": None}):
        evil.replies["/userinfo"] = lambda _: (200, {"sub": SUBJECT, "groups": ["staff"]})
        assert held_after(server, evil, user, claims, before=False)[0]
        evil.replies["/userinfo"] = lambda _: (200, {"sub": SUBJECT, "groups": []})
        assert not held_after(server, evil, user, claims, before=True)[0]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, b"", "userinfo_unavailable"),
        (401, b"", "userinfo_invalid"),
        (200, b"<html>", "userinfo_invalid"),
        (200, b'{"sub": "' + b"x" * 70_000 + b'"}', "userinfo_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_userinfo_that_fails_keeps_the_roles(
    server: Server, evil: Evil, user: dict[str, Any], status: int, body: bytes, reason: str
) -> None:
    evil.replies["/userinfo"] = lambda _: (status, body)
    for before in (True, False):
        after, log = held_after(server, evil, user, {}, before=before)
        assert after is before
        assert f"reason={reason}" in log


def test_the_last_who_can_manage_stays(start: Start, evil: Evil) -> None:
    rules = {"OIDC_ROLES_CLAIM": "groups", "OIDC_ROLES": "manage_users=boss"}
    server = start(**settings_for(evil, **rules))
    api = Api(server)
    (admin,) = api(f"{USERS}?q=admin").json
    path = f"{USERS}/{admin['id']}/identities"
    assert api(path, "POST", {"provider": "oidc", "subject": "boss"}).status == 201
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "boss"})
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt, sub="boss", groups=[])))
    assert attempt.come_back(attempt.good()).status == 302
    assert "roles_kept user=admin" in server.log(until="roles_kept")


# --- CAS -----------------------------------------------------------------------------------------


ATTRIBUTES: list[tuple[str, str, str]] = [
    ("one", "<cas:memberOf>staff</cas:memberOf>", GRANT),
    ("two", "<cas:memberOf>x</cas:memberOf><cas:memberOf>staff</cas:memberOf>", GRANT),
    ("another", "<cas:memberOf>others</cas:memberOf>", REVOKE),
    ("empty", "<cas:memberOf></cas:memberOf>", REVOKE),
    ("absent", "<cas:mail>x</cas:mail>", "absent"),
    ("elements", "<cas:memberOf><cas:group>others</cas:group></cas:memberOf>", "elements"),
    ("a list in a text", "<cas:memberOf>[others, x]</cas:memberOf>", "encoded"),
]


@pytest.fixture(scope="module")
def attributes() -> list[str]:
    """Return what the CAS server says of everybody; it can be changed."""
    return [""]


@pytest.fixture(scope="module")
def campus(start: Start, attributes: list[str]) -> Iterator[Server]:
    def script(_asked: Asked) -> bytes:
        return cas.success("user", f"<cas:attributes>{attributes[0]}</cas:attributes>")

    with sso.scripted(script) as provider:
        yield start(
            CAS_URL=provider.url,
            CAS_TRUST_USERNAMES="true",
            CAS_ROLES_ATTRIBUTE="memberOf",
            CAS_ROLES=f"{ROLE}=staff",
        )


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in ATTRIBUTES], ids=[row[0] for row in ATTRIBUTES]
)
def test_a_shape_of_the_attribute(
    campus: Server, attributes: list[str], text: str, expected: str
) -> None:
    api = Api(campus)
    (user,) = [each for each in api(f"{USERS}?limit=200").json if each["username"] == "user"]
    path = f"{USERS}/{user['id']}"
    attributes[0] = text
    for before in (True, False):
        assert api(path, "PATCH", {"roles": [ROLE] if before else []}).status == 200
        answer = cas.sign_in(campus)
        after = ROLE in [role["role"] for role in api(path).json["roles"]]
        log = campus.log(until=answer["X-Request-ID"])
        lines = [line for line in log.splitlines() if answer["X-Request-ID"] in line]
        warned = any("roles_unreadable" in line and f"reason={expected}" in line for line in lines)
        if expected in {GRANT, REVOKE}:
            assert (after, warned) == (expected == GRANT, False)
        else:
            assert (after, warned) == (before, True)
