"""OIDC_REQUIRE: read strictly, enforced at every sign-in, and missed where it is missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from service import config
from service.config import Requirement, public_providers
from service.errors import Fault
from service.providers.openid import requirements
from service.providers.openid.requirements import Unmet
from tests.support import cas, openid
from tests.support.client import BROWSER, ask
from tests.support.commands import command
from tests.support.description import assert_documented
from tests.support.environment import STRONG
from tests.support.evil import SUBJECT, Evil, Reply, begin
from tests.support.openid_sign_in import RSA, evil, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil"]

STORES = ("sqlite",)
BASE = {
    "ENVIRONMENT": "test",
    "JWT_SECRET_KEY": STRONG,
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_CLIENT_ID": "latchkey",
}
_PLAIN = {"OIDC_ISSUER", "OIDC_CLIENT_ID"}
GOOGLE = "https://accounts.google.com"
MICROSOFT = "https://login.microsoftonline.com"


def read(tmp_path: Path, **changes: str) -> config.Config:
    """Return the settings."""
    return config.load({**BASE, **changes}, tmp_path / "no.env")


# --- The setting ---------------------------------------------------------------------------------


def test_requirements_are_read_as_rules_are(tmp_path: Path) -> None:
    text = " hd=example.org;email_domain=BÜCHER.example ; groups=cn=it,dc=example; "
    (provider,) = read(tmp_path, OIDC_REQUIRE=text).openid
    assert provider.require == (
        Requirement("hd", "example.org"),
        Requirement("email_domain", "xn--bcher-kva.example"),
        Requirement("groups", "cn=it,dc=example"),
    )
    assert read(tmp_path).openid[0].require == ()


def test_a_named_provider_has_requirements_of_its_own(tmp_path: Path) -> None:
    plain, named = read(
        tmp_path,
        OIDC_PROVIDERS="google",
        OIDC_GOOGLE_ISSUER=GOOGLE,
        OIDC_GOOGLE_CLIENT_ID="x",
        OIDC_GOOGLE_REQUIRE="hd=example.org",
    ).openid
    assert (plain.require, named.require) == ((), (Requirement("hd", "example.org"),))
    shown = dict(config.openid.shown((plain, named)))
    assert shown["OIDC_GOOGLE_REQUIRE"] == "hd=example.org"
    assert shown["OIDC_REQUIRE"] is None


@pytest.mark.parametrize(
    "text",
    [
        "hd", "=x", "hd=", "hd= ; a=b", "a b=c", ";", "; ;", "hd:example.org", "hd=a\tb", "é=x",
        "email_domain=@example.org", "email_domain=*.example.org", "email_domain=localhost",
        "email_domain=example.org.", "email_domain=a b.example", "email_domain=.example.org",
        "email_domain=ada@example.org",
    ],
)  # fmt: skip
def test_a_bad_requirement_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fault) as refusal:
        read(tmp_path, OIDC_REQUIRE=text, PORT="x")
    assert "\n  OIDC_REQUIRE must " in str(refusal.value)
    assert "\n  PORT must " in str(refusal.value)


def test_a_requirement_without_a_provider_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refusal:
        read(tmp_path, OIDC_ISSUER="", OIDC_CLIENT_ID="", OIDC_REQUIRE="hd=example.org")
    assert str(refusal.value).endswith("OIDC_REQUIRE has no effect without OIDC_ISSUER")
    named = {"OIDC_CAMPUS_ISSUER": "https://id.example.org", "OIDC_CAMPUS_CLIENT_ID": "latchkey"}
    with pytest.raises(Fault) as refusal:
        read(
            tmp_path,
            OIDC_ISSUER="",
            OIDC_CLIENT_ID="",
            OIDC_PROVIDERS="campus,google",
            OIDC_GOOGLE_ISSUER=GOOGLE,
            OIDC_GOOGLE_CLIENT_ID="x",
            OIDC_REQUIRE="hd=example.org",
            **named,
        )
    assert str(refusal.value).endswith(
        "OIDC_REQUIRE has no effect without OIDC_ISSUER. For campus, use OIDC_CAMPUS_REQUIRE"
    )


@pytest.mark.parametrize(
    "text",
    [
        "hd=example.org, groups=staff",
        "hd=example.org,groups=staff",
        "groups=staff , email_domain=example.org",
        "tid=1; hd=example.org, https://example.org/groups=staff",
        "groups=staff, guests, hd=example.org",
    ],
)
def test_requirements_separated_by_commas_stop_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(Fault, match="separate requirements with semicolons"):
        read(tmp_path, OIDC_REQUIRE=text)


@pytest.mark.parametrize(
    "text",
    [
        "groups=cn=it,dc=example",
        "groups=CN=IT Staff, OU=Groups, DC=example, DC=org",
        "groups=cn=it+l=here,dc=example",
        "ou=Physics, Chemistry",
        "name=Lovelace, Ada",
    ],
)
def test_a_value_may_have_commas(tmp_path: Path, text: str) -> None:
    settings = read(tmp_path, OIDC_REQUIRE=text)
    assert list(map(str, settings.openid[0].require)) == [text]
    assert list(config.openid.joined(settings)) == []


def test_a_name_of_ldap_with_a_requirement_after_a_comma_is_a_warning(tmp_path: Path) -> None:
    text = "groups=cn=it,dc=example, hd=example.org"
    ((name, warning),) = config.findings(read(tmp_path, OIDC_REQUIRE=text))
    assert name == "OIDC_REQUIRE"
    assert warning == (
        "requires the value cn=it,dc=example, hd=example.org of groups. If hd is another"
        " requirement, separate requirements with semicolons."
    )


# --- What fulfils it -----------------------------------------------------------------------------

ADA = {"email": "ada@example.org", "email_verified": True}
MET: list[tuple[str, dict[str, Any]]] = [
    ("hd=example.org", {"hd": "example.org"}),
    ("hd=example.org; groups=staff", {"hd": "example.org", "groups": ["x", "staff"]}),
    ("groups=staff; groups=guests", {"groups": ["guests"]}),
    ("groups=staff", {"groups": "x, staff"}),
    ("groups=Chess staff", {"groups": "Chess staff"}),
    ("groups=Chess staff", {"groups": "x,Chess staff"}),
    ("groups=cn=it,dc=example", {"groups": "cn=it,dc=example"}),
    ("groups=staff", {"groups": {"staff": {}}}),
    ("groups=staff", {"groups": ["staff", 7]}),
    ("groups=Domain Users", {"groups": "Domain Users"}),
    ("a.roles=staff", {"a": {"roles": "x,staff"}}),
    ("https://x.org/roles=staff", {"https://x.org/roles": ["staff"]}),
    ("email_domain=example.org", {**ADA, "email_verified": "true"}),
    ("email_verified=true", {"email_verified": True}),
    ("level=2", {"level": 2}),
    ("email_domain=example.org", ADA),
    ("email_domain=EXAMPLE.org", {**ADA, "email": "Ada@Example.ORG"}),
    ("email_domain=bücher.example", {**ADA, "email": "ada@xn--bcher-kva.example"}),
    ("email_domain=xn--bcher-kva.example", {**ADA, "email": "ada@Bücher.example"}),
    ("email_domain=a.org; email_domain=example.org", ADA),
    ("", {}),
]
UNMET: list[tuple[str, dict[str, Any], str, str]] = [
    ("hd=example.org", {}, "hd", "absent"),
    ("hd=example.org", {"hd": None}, "hd", "null"),
    ("hd=example.org", {"hd": "Example.org"}, "hd", "other_value"),
    ("hd=example.org", {"hd": "x example.org"}, "hd", "other_value"),
    ("hd=example.org", {"hd": "x,example.org"}, "hd", "other_value"),
    ("department=staff", {"department": "not staff"}, "department", "other_value"),
    ("hd=example.org; groups=staff", {"groups": ["staff"]}, "hd", "absent"),
    ("groups=staff", {"groups": []}, "groups", "other_value"),
    ("groups=staff", {"groups": "Chess staff"}, "groups", "other_value"),
    ("groups=staff", {"groups": "staff\tof chess"}, "groups", "other_value"),
    ("groups=staff", {"groups": "x, Chess staff, y"}, "groups", "other_value"),
    ("a.roles=staff", {"a": {"roles": "Chess staff"}}, "a.roles", "other_value"),
    ("groups=staff", {"groups": {"staff": False}}, "groups", "other_value"),
    ("groups=staff", {"groups": [7]}, "groups", "list_members"),
    ("groups=staff", {"groups": '["staff"]'}, "groups", "encoded"),
    ("groups=staff", {"_claim_names": {"groups": "src1"}}, "groups", "absent"),
    ("email_verified=true", {"email_verified": "false"}, "email_verified", "other_value"),
    ("email_verified=true", {"email_verified": 1}, "email_verified", "other_value"),
    ("level=1", {"level": True}, "level", "other_value"),
    ("email_domain=example.org", {}, "email_domain", "absent"),
    *(
        ("email_domain=example.org", {**ADA, "email_verified": verified}, "email_domain", why)
        for verified, why in ((False, "not_verified"), ("false", "not_verified"),
                              ("True", "verified_not_boolean"), (1, "verified_not_boolean"),
                              (None, "not_verified"))
    ),
    *(
        ("email_domain=example.org", {**ADA, "email": email}, "email_domain", "other_value")
        for email in (
            "ada@sub.example.org", "ada@example.org.evil", "ada@notexample.org", "@example.org",
            "example.org", "ada@evil@example.org", "ada@example.org ", "ada@example.org.",
            "ada@example.org\n", '"x@example.org"@evil.example', "ada@",
        )
    ),
    ("email_domain=example.org", {**ADA, "email": ["ada@example.org"]}, "email_domain", "not_text"),
    ("email_domain=example.org", {**ADA, "email": ""}, "email_domain", "absent"),
    ("email_domain=strasse.example", {**ADA, "email": "a@straße.example"}, "email_domain",
     "other_value"),
]  # fmt: skip


def judge(text: str, *documents: dict[str, Any]) -> Unmet | None:
    """Return which requirement is not fulfilled."""
    return requirements.first_unmet(
        config.requirements.parse(text), documents, roles_claim="a.roles"
    )


@pytest.mark.parametrize(("text", "claims"), MET, ids=str)
def test_what_fulfils_a_requirement(text: str, claims: dict[str, Any]) -> None:
    assert judge(text, claims) is None
    assert judge(text, {}, claims) is None


@pytest.mark.parametrize(("text", "claims", "claim", "reason"), UNMET, ids=str)
def test_what_does_not(text: str, claims: dict[str, Any], claim: str, reason: str) -> None:
    assert judge(text, claims) == Unmet(claim, reason)


def test_the_more_trusted_document_decides() -> None:
    assert judge("hd=a", {"hd": "b"}, {"hd": "a"}) == Unmet("hd", "other_value")
    assert judge("groups=a", {"groups": []}, {"groups": ["a"]}) == Unmet("groups", "other_value")
    other = {**ADA, "email": "eve@evil.example"}
    unmet = Unmet("email_domain", "other_value")
    assert judge("email_domain=example.org", other, ADA) == unmet
    unverified = {"email": "ada@example.org"}
    assert judge("email_domain=example.org", unverified, {"email_verified": True}) == Unmet(
        "email_domain", "not_verified"
    )


# --- Over HTTP -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> None:
    """Let the provider be good again, where there is one."""
    if "evil" in request.fixturenames:
        request.getfixturevalue("evil").replies.clear()


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    """Return a server that creates users, of one domain and one group."""
    made = start(
        **settings_for(
            evil,
            PROVISION_USERS="true",
            OIDC_REQUIRE="hd=example.org; email_domain=example.org; groups=staff",
        )
    )
    openid.link(made, "user", SUBJECT)
    return made


GOOD = {**ADA, "hd": "example.org", "groups": ["staff"], "preferred_username": "ada"}


@pytest.mark.parametrize("subject", ["somebody new", SUBJECT], ids=["new", "linked"])
@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("hd", None),
        ("hd", "evil.example"),
        ("groups", []),
        ("groups", 7),
        ("email_verified", False),
    ],
)
def test_an_account_that_does_not_fulfil_all_is_refused(
    server: Server, evil: Evil, subject: str, claim: str, value: Any
) -> None:
    evil.replies["/userinfo"] = lambda _: (200, {"sub": subject})
    attempt = begin(server.port, "/auth/oidc?next=/deep")
    evil.answers(RSA.sign(evil.claims(attempt, sub=subject, **{**GOOD, claim: value})))
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (403, "account_not_allowed")
    assert cas.jwt(answer) is None
    assert_documented(ask(server.port, "/openapi.json").json, "GET", "/auth/oidc/callback", answer)
    log = server.log(until=answer["X-Request-ID"])
    (line,) = [
        line
        for line in log.splitlines()
        if "requirement_unmet" in line and answer["X-Request-ID"] in line
    ]
    assert "provider=oidc" in line
    assert "evil.example" not in line
    assert server.cli("user", "show", "ada").returncode == 1


def test_a_browser_gets_a_page_with_ways_on(server: Server, evil: Evil) -> None:
    evil.replies["/userinfo"] = lambda _: (200, {"sub": SUBJECT})
    attempt = begin(server.port, "/auth/oidc?next=/deep")
    evil.answers(RSA.sign(evil.claims(attempt)))
    page = attempt.come_back(attempt.good(), **BROWSER)
    assert page.status == 403
    assert 'href="/auth/login?next=%2Fdeep">Other ways to sign in</a>' in page.text


def test_an_account_that_fulfils_all_signs_in_and_is_created(start: Start, evil: Evil) -> None:
    server = start(
        **settings_for(evil, PROVISION_USERS="true", OIDC_REQUIRE="hd=example.org; groups=staff")
    )
    for told, claims in (({}, GOOD), (GOOD, {})):
        reply: Reply = 200, {"sub": "ada", **told}
        evil.replies["/userinfo"] = lambda _, reply=reply: reply  # type: ignore[misc]
        attempt = begin(server.port)
        evil.answers(RSA.sign(evil.claims(attempt, sub="ada", **claims)))
        assert attempt.come_back(attempt.good()).status == 302


def test_a_userinfo_that_fails_is_no_answer_about_a_requirement(server: Server, evil: Evil) -> None:
    evil.replies["/userinfo"] = lambda _: (503, b"")
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt)))
    assert attempt.come_back(attempt.good()).code == "provider_unavailable"


# --- Public providers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issuer", "require", "warned"),
    [
        (GOOGLE, "", True),
        ("https://ACCOUNTS.google.com", "", True),
        (GOOGLE, "hd=example.org", False),
        (GOOGLE, "email_verified=true", True),
        ("https://gitlab.com", "", True),
        ("https://gitlab.example.org", "", False),
        ("https://appleid.apple.com", "", True),
        ("https://www.linkedin.com/oauth", "", True),
        (f"{MICROSOFT}/common/v2.0", "", True),
        (f"{MICROSOFT}/common/v2.0", "email_domain=example.org", True),
        (f"{MICROSOFT}/organizations/v2.0", "tid=17", False),
        (f"{MICROSOFT}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "", True),
        (f"{MICROSOFT}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "sub=17", False),
        (f"{MICROSOFT}/0d1f6a1e-0000-4000-8000-000000000000/v2.0", "", False),
        ("https://id.example.org", "", False),
        ("https://accounts.google.com.example.org", "", False),
    ],
)
def test_a_public_provider_without_a_requirement_is_warned_of(
    tmp_path: Path, issuer: str, require: str, *, warned: bool
) -> None:
    plain = list(
        public_providers.findings(read(tmp_path, OIDC_ISSUER=issuer, OIDC_REQUIRE=require))
    )
    assert [name for name, _ in plain] == ["OIDC_REQUIRE"] * warned
    generous = read(tmp_path, OIDC_ISSUER=issuer, OIDC_REQUIRE=require, PROVISION_USERS="true")
    for (_, text), (_, stronger) in zip(plain, public_providers.findings(generous), strict=True):
        assert "PROVISION_USERS=true" in stronger
        assert "PROVISION_USERS" not in text


def test_config_check_warns_beside_its_output(tmp_path: Path) -> None:
    settings = {
        **BASE,
        "OIDC_PROVIDERS": "google",
        "OIDC_GOOGLE_ISSUER": GOOGLE,
        "OIDC_GOOGLE_CLIENT_ID": "x",
        "PROVISION_USERS": "true",
    }
    done = command(tmp_path, "config", "check", "--json", **settings)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert "OIDC_GOOGLE_REQUIRE" in done.stderr
    assert "PROVISION_USERS=true" in done.stderr
    assert "several providers" in done.stderr
    one = {name: value for name, value in settings.items() if name not in _PLAIN}
    quiet = command(tmp_path, "config", "check", **one, OIDC_GOOGLE_REQUIRE="hd=example.org")
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_the_start_warns(start: Start) -> None:
    server = start(OIDC_ISSUER=GOOGLE, OIDC_CLIENT_ID="x", PROVISION_USERS="true")
    (line,) = [line for line in server.log().splitlines() if "unsafe_setting" in line]
    assert "OIDC_REQUIRE" in line
