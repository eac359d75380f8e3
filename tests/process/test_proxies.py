"""Behind a real nginx, Caddy and HAProxy with the files of deploy/: who passes, and as whom."""

import json
import shutil
import subprocess
import time
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import pytest

from tests.support.client import BROWSER, bearer, cookie
from tests.support.proxied import NAVIGATION, SPELLINGS, shared, site
from tests.support.proxy_site import APP, AUTH, IDENTITY, Deployment, Headers

__all__ = ["shared", "site"]

STORES = ("sqlite",)  # no store has a part in this
FORGED = (
    *IDENTITY,
    "X-Auth-Request-Preferred-Username", "X-Forwarded-User", "X-Forwarded-Groups",
    "X-Forwarded-Email", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method",
    "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Real-IP", "Forwarded",
    "Remote-Role", "Remote-Roles", "X-Auth-User", "X-Auth-Name", "X-Auth-Email", "X-Auth-Roles",
    "X-Auth-Request-Name", "X-Auth-Request-Roles", "X-Auth-Request-Access-Token",
    "X-Latchkey-User", "X-Forwarded-Roles", "X-Remote-User", "X-Remote-Groups", "X-Remote-Roles",
    "X-Webauth-User", "X-Webauth-Groups", "X-Webauth-Email", "X-Webauth-Roles",
)  # fmt: skip


# Who passes, and as whom


@pytest.mark.parametrize("carry", [cookie, bearer])
@pytest.mark.parametrize(
    ("username", "groups"),
    [
        ("admin", "manage_users,manage_documents,manage_communities"),
        ("user", "view_documents,view_communities"),
    ],
)
def test_the_application_is_told_who_comes(
    site: Deployment, carry: object, username: str, groups: str
) -> None:
    token = site.sign_in(username)
    answer = site.ask("/a?b=c", headers=cookie(token) if carry is cookie else bearer(token))
    assert (answer.status, answer.text) == (200, username)
    (seen,) = site.application.received
    assert (seen.method, seen.target) == ("GET", "/a?b=c")
    assert seen["Remote-User"] == seen["X-Auth-Request-User"] == username
    assert seen["Remote-Groups"] == seen["X-Auth-Request-Groups"] == groups
    assert seen["Remote-Name"] == seen["Remote-Email"] == seen["X-Auth-Request-Email"] == "-"
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "https"


def test_the_assertion_is_for_this_application(site: Deployment) -> None:
    site.ask(headers=cookie(site.sign_in()))
    assertion = site.application.received[0]["X-Latchkey-Assertion"]
    keys = jwt.PyJWKSet.from_json(site.ask("/.well-known/assertion-jwks.json", host=AUTH).text)
    key = keys[jwt.get_unverified_header(assertion)["kid"]]
    claims = jwt.decode(assertion, key, ["ES256"], audience=f"{APP}:{site.port}", issuer=site.auth)
    assert claims["username"] == "admin"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nothing_forged_comes_through(site: Deployment, spelling: str) -> None:
    forged = [(SPELLINGS[spelling](name), "forged") for name in FORGED]
    headers = [*forged, *cookie(site.sign_in()).items(), *forged]
    for path, told in (("/", ["admin"]), ("/admin/x", ["admin"]), ("/public/x", [])):
        site.application.received.clear()
        assert site.ask(path, headers=headers).status == 200
        (seen,) = site.application.received
        assert [pair for pair in seen.headers if "forged" in pair[1]] == []
        assert seen.all("Remote-User") == told
        assert [len(seen.all(name)) for name in IDENTITY] == [len(told)] * len(IDENTITY)


@pytest.mark.parametrize("path", ["/", "/public/x"])
@pytest.mark.parametrize(
    "connection",
    [
        "close, Remote-User, Remote-Groups, X-Latchkey-Assertion",
        "keep-alive, remote-user",
        "X-Auth-Request-User, X-Forwarded-For, X-Forwarded-Proto",
        "close, Cookie, Authorization, X-Original-URL, X-Forwarded-Uri, X-Forwarded-Method",
    ],
)
def test_a_client_cannot_have_our_headers_dropped(
    site: Deployment, path: str, connection: str
) -> None:
    headers = {**cookie(site.sign_in()), "Connection": connection, "Remote-User": "forged"}
    assert site.ask(path, headers=headers).status == 200
    (seen,) = site.application.received
    told = path == "/"
    assert seen.all("Remote-User") == (["admin"] if told else [])
    assert len(seen.all("X-Latchkey-Assertion")) == told
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    named = ",".join(seen.all("Connection")).lower()
    assert not {"remote", "x-", "cookie"} & set(named.replace(",", "-").split("-"))


def _curl_speaks_http_2() -> bool:
    if shutil.which("curl") is None:
        return False
    done = subprocess.run(["curl", "-V"], capture_output=True, text=True, check=True)
    return "HTTP2" in done.stdout


@pytest.mark.skipif(not _curl_speaks_http_2(), reason="no curl with HTTP/2")
def test_nothing_forged_comes_through_http_2(site: Deployment) -> None:
    token = site.sign_in()
    for spelling, name_of in SPELLINGS.items():
        lines = [f'header = "{name_of(name)}: forged"' for name in FORGED]
        lines += [f'header = "Cookie: jwt={token}"', f'header = "Host: {APP}:{site.port}"']
        (site.folder / "curl").write_text("\n".join(lines))
        site.application.received.clear()
        done = subprocess.run(
            ["curl", "-sk", "--http2", "-K", "curl", "-w", "%{http_version}",
             "--resolve", f"{APP}:{site.port}:127.0.0.1", f"{site.app}/"],
            cwd=site.folder, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert done.stdout == "admin2", spelling
        (seen,) = site.application.received
        assert [pair for pair in seen.headers if "forged" in pair[1]] == []
        assert [len(seen.all(name)) for name in IDENTITY] == [1] * len(IDENTITY)


def test_the_session_does_not_reach_the_application(site: Deployment) -> None:
    token = site.sign_in()
    for given, left in (
        (f"jwt={token}", ""),
        (f"a=1; jwt={token}; b=2", "a=1; b=2"),
        (f"jwt={token}; b=2", "b=2"),
        (f"a=1; jwt={token}", "a=1"),
        (f"a=1;jwt={token}", "a=1"),
        (f"ajwt=1; jwt={token}; jwta=2", "ajwt=1; jwta=2"),
    ):
        for path in ("/", "/public/x"):
            site.application.received.clear()
            assert site.ask(path, headers={"Cookie": given}).status == 200
            found = "; ".join(site.application.received[0].all("Cookie"))
            assert found.replace("; ", ";").strip(" ;") == left.replace("; ", ";"), given
    site.ask("/public/x", headers={"Cookie": f"jwt={token}; a=1; jwt={token}"})
    assert token not in str(site.application.received[-1].headers)


def test_a_user_of_many_roles_passes(site: Deployment) -> None:
    roles = [f"{number:02}".ljust(64, "x") for number in range(24)]
    seeds = site.folder / "big.json"
    seeds.write_text(json.dumps({"users": [{"username": "big", "roles": roles}]}))
    made = site.server.cli("seed", str(seeds))
    assert made.returncode == 0, made.stderr
    assert site.ask(headers=cookie(site.sign_in("big"))).text == "big"
    assert site.application.received[0]["Remote-Groups"] == ",".join(roles)


def test_what_the_application_answers_is_its_own(site: Deployment) -> None:
    site.application.answers["/mine"] = 401, {"Set-Cookie": "jwt=other", "Location": "/elsewhere"}
    answer = site.ask("/mine", headers={**NAVIGATION, **cookie(site.sign_in())})
    assert (answer.status, answer.text) == (401, "admin")
    assert (answer["Set-Cookie"], answer["Location"]) == ("jwt=other", "/elsewhere")


# Who does not


@pytest.mark.parametrize("headers", [NAVIGATION, BROWSER])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/deep/link?a=1&b=2",
        "/wiki/S%C3%A9ance%20100%25?q=%22a%22&c=%26+x&next=https://evil.example/",
        "/admin/x?y=z",
    ],
)
def test_a_person_is_led_to_the_sign_in_and_back(
    site: Deployment, headers: dict[str, str], method: str, target: str
) -> None:
    answer = site.ask(target, method, headers=headers)
    assert answer.status == 302
    back = quote(site.app + target, safe="")
    assert answer["Location"] == f"{site.auth}/auth/login?next={back}"
    assert site.application.received == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("GET", {"Accept": "application/json"}),
        ("GET", {**BROWSER, "Sec-Fetch-Mode": "cors"}),
        ("POST", NAVIGATION),
        ("PUT", BROWSER),
        ("DELETE", NAVIGATION),
        ("OPTIONS", NAVIGATION),
    ],
)
def test_a_program_is_told_401(site: Deployment, method: str, headers: dict[str, str]) -> None:
    answer = site.ask("/a", method, headers=headers)
    assert answer.status == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.all("Location") == []
    assert site.application.received == []


def test_a_client_says_nothing_about_what_it_asks_for(site: Deployment) -> None:
    story: Headers = [
        *NAVIGATION.items(),
        ("X-Original-Method", "GET"),
        ("X-Original-URL", f"{site.app}/elsewhere"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "evil.example.org"),
        ("X-Forwarded-Uri", "/elsewhere"),
        ("Forwarded", "host=evil.example.org"),
    ]
    posted = site.ask("/a", "POST", headers=story)
    assert (posted.status, posted.all("Location")) == (401, [])
    looked = site.ask("/a", headers=story)
    assert parse_qs(urlsplit(looked["Location"]).query) == {"next": [f"{site.app}/a"]}


def test_a_bad_credential_is_none(site: Deployment) -> None:
    token = site.sign_in()
    other = site.sign_in("user")
    for headers in (
        cookie(token[:-4] + "AAAA"),
        bearer(token[:-4] + "AAAA"),
        bearer(""),
        {"Cookie": f"jwt={token}; jwt={other}"},
        {**cookie(token), **bearer("nonsense")},
        {"Remote-User": "admin"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
    ):
        assert site.ask(headers=headers).status == 401, headers
    two = site.ask(headers=[*cookie(token).items(), *cookie(other).items()])
    assert two.status == 401
    assert site.application.received == []


def test_of_two_authorizations_none_passes_unchecked(site: Deployment) -> None:
    good, bad = bearer(site.sign_in()), bearer("nonsense")
    answer = site.ask(headers=[*good.items(), *bad.items()])
    passed = [each.all("Authorization") for each in site.application.received]
    assert passed == ([[good["Authorization"]]] if answer.status == 200 else [])
    assert site.ask(headers=[*bad.items(), *good.items()]).status in {400, 401}


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/", "/admin/x?y", "/ADMIN/x", "/%61dmin/x", "/admin.json"]
)
def test_without_the_role_it_is_403(site: Deployment, path: str) -> None:
    answer = site.ask(path, headers={**NAVIGATION, **cookie(site.sign_in("user"))})
    assert answer.status == 403
    assert site.application.received == []
    assert site.ask(path, headers=cookie(site.sign_in("admin"))).text == "admin"


def test_signing_out_counts_at_once(site: Deployment) -> None:
    token = site.sign_in()
    assert site.ask(headers=cookie(token)).status == 200
    site.ask("/auth/logout", "POST", headers=cookie(token), host=AUTH)
    started = time.perf_counter()
    answer = site.ask(headers=cookie(token))
    milliseconds = 1000 * (time.perf_counter() - started)
    print(f"{site.program}: refused {milliseconds:.0f} ms after sign-out")  # noqa: T201  # a figure
    assert answer.status == 401
