"""Behind each real proxy: large requests, long links, pages for people, and what can be enabled."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.client import BROWSER, bearer, cookie
from tests.support.proxied import NAVIGATION, beside, fresh, shared, site
from tests.support.proxies import PROGRAMS, deployed
from tests.support.proxy_site import APP, AUTH, IDENTITY, Application, Deployment
from tests.support.servers import Start

__all__ = ["beside", "shared", "site"]

STORES = ("sqlite",)  # no store has a part in this

ANSWER = {name: f"the {name.rpartition('-')[2]}" for name in IDENTITY}
ASKED = {
    "accept", "accept-encoding", "authorization", "connection", "content-length", "cookie", "host",
    "sec-fetch-mode", "user-agent", "x-forwarded-for", "x-forwarded-host", "x-forwarded-method",
    "x-forwarded-proto", "x-forwarded-uri", "x-original-method", "x-original-url",
}  # fmt: skip
OTHERS = [("Cookie", f"app{number}={'x' * 3000}") for number in range(3)]


# What the question carries


@pytest.mark.parametrize("place", ["before", "after"])
def test_cookies_of_other_applications_do_no_harm(site: Deployment, place: str) -> None:
    token = site.sign_in()
    own = ("Cookie", f"jwt={token}")
    lines = [*OTHERS, own] if place == "before" else [own, *OTHERS]
    joined = "; ".join(value for _, value in lines)
    for headers in (lines, [("Cookie", joined)]):
        assert site.ask(headers=headers).text == "admin"
        assert site.ask("/admin/x", headers=headers).text == "admin"
        answer = site.ask("/auth/me", headers=headers, host=AUTH)
        assert answer.json["username"] == "admin"
    page = site.ask("/auth/login", headers=[("Cookie", joined), *BROWSER.items()], host=AUTH)
    assert (page.status, page["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_they_do_no_harm_over_http_2_either(site: Deployment) -> None:
    token = site.sign_in()
    lines = [f'header = "Cookie: jwt={token}; {"; ".join(value for _, value in OTHERS)}"']
    lines += [f'header = "X-Long: {"x" * 12_000}"', f'header = "Host: {APP}:{site.port}"']
    (site.folder / "curl").write_text("\n".join(lines))
    done = subprocess.run(
        ["curl", "-sk", "--http2", "-K", "curl", "--resolve", f"{APP}:{site.port}:127.0.0.1",
         f"{site.app}/deep?{'a' * 7900}"],
        cwd=site.folder, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "admin"


@pytest.mark.parametrize(
    "name", ["X-Long", "Referer", "User-Agent", "Accept-Language", "X-Foo", "Aaa", "If-None-Match"]
)
def test_one_long_header_does_no_harm(site: Deployment, name: str) -> None:
    headers = {**cookie(site.sign_in()), name: "x" * 12_000}
    assert site.ask(headers=headers).text == "admin"


def test_latchkey_gets_only_what_the_check_needs(beside: tuple[Deployment, Application]) -> None:
    site, other = fresh(beside, ANSWER)
    if not site.is_asking:
        return  # this file verifies tokens itself
    names = [
        *("X-Long", "Referer", "User-Agent", "Accept-Language", "X-Requested-With", "If-Match"),
        *("Content-Type", "Cache-Control", "Pragma", "Origin", "Sec-Fetch-Site", "Sec-Ch-Ua"),
        *("Sec-Fetch-Dest", "Sec-Fetch-User", "X-Csrf-Token", "Range", "Dnt", "Te", "Priority"),
    ]
    sent = {"Authorization": "Bearer y", **NAVIGATION, **dict.fromkeys(names, "unneeded")}
    for given, kept in COOKIES.items():
        other.received.clear()
        site.ask(headers=[*sent.items(), ("Cookie", given)])
        (question,) = other.received
        assert "".join(question.all("Cookie")) == kept, given
        assert {name.lower() for name, _ in question.headers} <= ASKED
        assert "unneeded" not in str(question)


ONE, TWO = "jwt=a.b-c_d", "jwt=e.f-g_h"
COOKIES = {
    ONE: ONE,
    f"a=1; {ONE}; b=2": ONE,
    f"a=1;{ONE};b=2": ONE,
    f"{ONE}; b=2": ONE,
    "a=1; b=2": "",
    "ajwt=1; jwt-b=2; jwt_c=3; JWT=4": "",
    f"ajwt=1; {ONE}; jwtb=2; xjwt": ONE,
    f"a=%22x%22; {ONE}; b=jwtjwt": ONE,
}


AMBIGUOUS = (
    f"{ONE}; {TWO}",
    f"{ONE};{ONE}",
    f"{ONE}; jwt =x",
    f"jwt\t=x; {ONE}",
    f'"jwt"=x; {ONE}',
    f"a=1,jwt=x; {ONE}",
    f"{ONE}; %6Awt=x",
    f"{ONE}; j%77t=x",
    f"jwt; {ONE}",
    f"{ONE}; jwt",
    f"{ONE}; \xa0jwt=x",
)


@pytest.mark.parametrize("value", AMBIGUOUS, ids=ascii)
def test_a_second_cookie_in_any_spelling_is_not_hidden_from_latchkey(
    site: Deployment, value: str
) -> None:
    token = site.sign_in()
    given = value.replace(ONE.partition("=")[2], token)
    assert site.ask(headers={"Cookie": given}).status in {400, 401}
    assert site.application.received == []
    assert site.ask(headers=cookie(token)).text == "admin"


@pytest.mark.parametrize("value", ["jwt ={}", '"jwt"={}', "a=1,jwt={}", "%6Awt={}", "JWT={}"])
def test_another_spelling_is_no_credential(site: Deployment, value: str) -> None:
    token = site.sign_in()
    assert site.ask(headers={"Cookie": value.format(token)}).status in {400, 401}
    assert site.application.received == []


# Long links


@pytest.mark.parametrize("length", [2115, 7000, 8000])
@pytest.mark.parametrize("kind", ["plain", "encoded"])
def test_a_long_link_leads_to_the_sign_in_and_back(
    site: Deployment, length: int, kind: str
) -> None:
    piece = "a" if kind == "plain" else "%C3%A9"
    target = "/deep?q=" + piece * ((length - 8) // len(piece))
    answer = site.ask(target, headers=NAVIGATION)
    assert answer.status == 302
    assert answer["Location"] == f"{site.auth}/auth/login?next={quote(site.app + target, safe='')}"
    page = site.ask(answer["Location"].removeprefix(site.auth), headers=NAVIGATION, host=AUTH)
    assert (page.status, "too long" in page.text) == (200, False)
    (link,) = re.findall(r'href="(/auth/bypass\?token=admin[^"]*)"', page.text)
    signed_in = site.ask(link.replace("&amp;", "&"), host=AUTH)
    assert (signed_in.status, signed_in["Location"]) == (302, site.app + target)
    assert site.ask(target, headers=cookie(signed_in.token)).text == "admin"


def test_the_sign_in_page_says_that_a_link_is_too_long(site: Deployment) -> None:
    answer = site.ask("/" + "a" * 9000, headers=NAVIGATION)
    assert answer.status == 302
    page = site.ask(answer["Location"].removeprefix(site.auth), headers=NAVIGATION, host=AUTH)
    assert "too long to come back to" in page.text


# Pages for people


def test_a_person_without_the_role_gets_a_page(site: Deployment) -> None:
    headers = {**NAVIGATION, **cookie(site.sign_in("user"))}
    for method in ("GET", "POST"):
        answer = site.ask("/admin/x?y=1", method, headers=headers)
        assert (answer.status, answer["Content-Type"]) == (403, "text/html; charset=utf-8")
        assert "signed in as <strong>user</strong>" in answer.text
        assert "<code>manage_users</code>" in answer.text
        assert f'href="{site.auth}/auth/logout"' in answer.text
        assert answer["Content-Security-Policy"].startswith("default-src 'none'; style-src https:")
    (link,) = re.findall(r'href="([^"]*)">Use another account', site.ask(
        "/admin/x?y=1", headers=headers
    ).text)  # fmt: skip
    asked = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
    assert asked == {"next": [f"{site.app}/admin/x?y=1"], "prompt": ["select_account"]}
    assert site.application.received == []


def test_a_signed_out_person_who_sends_a_form_gets_a_page(site: Deployment) -> None:
    answer = site.ask("/form", "POST", headers=NAVIGATION, body=b"a=1")
    assert (answer.status, answer["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert f'href="{site.auth}/auth/login"' in answer.text
    assert "send the form again" in answer.text
    assert not {name.lower() for name in IDENTITY} & {name.lower() for name, _ in answer.headers}
    assert site.application.received == []


def test_programs_are_refused_without_a_page(site: Deployment) -> None:
    refused = site.ask("/admin/x", headers=cookie(site.sign_in("user")))
    assert (refused.status, "<p>" in refused.text) == (403, False)
    refused = site.ask("/form", "POST", body=b"a=1")
    assert (refused.status, refused["WWW-Authenticate"]) == (401, "Bearer")
    assert "<p>" not in refused.text


def test_the_sign_out_link_of_the_page_works(site: Deployment) -> None:
    token = site.sign_in("user")
    link = {**NAVIGATION, **cookie(token), "Sec-Fetch-Site": "same-site"}
    answer = site.ask("/auth/logout", headers={**link, "Sec-Fetch-Dest": "document"}, host=AUTH)
    assert answer.status == 302
    assert site.ask(headers=cookie(token)).status == 401


@pytest.mark.parametrize("status", [401, 403])
def test_the_applications_own_refusals_stay_its_own(site: Deployment, status: int) -> None:
    site.application.answers["/mine"] = status, {"X-Mine": "1"}
    answer = site.ask("/mine", headers={**NAVIGATION, **cookie(site.sign_in())})
    assert (answer.status, answer.text, answer["X-Mine"]) == (status, "admin", "1")


# What the files offer in comments


@pytest.fixture(scope="module", params=PROGRAMS)
def enabled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> Iterator[Deployment]:
    """Yield a deployment with all commented lines of its files enabled."""
    folder = tmp_path_factory.mktemp(request.param)
    with deployed(request.param, folder, start, enable=True) as deployment:
        yield deployment


def test_preflights_reach_the_application(enabled: Deployment) -> None:
    preflight = {"Origin": "https://front.example", "Access-Control-Request-Method": "PUT"}
    forged = {**preflight, "Remote-User": "admin"}
    token = enabled.sign_in()
    for path in ("/", "/admin/x"):
        enabled.application.received.clear()
        assert enabled.ask(path, "OPTIONS", headers={**forged, **cookie(token)}).status == 200
        (seen,) = enabled.application.received
        assert (seen.method, seen.all("Remote-User")) == ("OPTIONS", [])
        assert token not in str(seen)


def test_nothing_else_is_a_preflight(enabled: Deployment) -> None:
    preflight = {"Origin": "https://front.example", "Access-Control-Request-Method": "PUT"}
    enabled.application.received.clear()
    assert enabled.ask("/", "GET", headers=preflight).status == 401
    assert enabled.ask("/", "POST", headers=preflight).status == 401
    for name in preflight:
        fewer = {key: value for key, value in preflight.items() if key != name}
        assert enabled.ask("/", "OPTIONS", headers=fewer).status == 401
        assert enabled.ask("/", "OPTIONS", headers={**fewer, name: ""}).status == 401
    assert enabled.application.received == []


def test_the_shipped_files_let_no_preflight_through(site: Deployment) -> None:
    preflight = {"Origin": "https://front.example", "Access-Control-Request-Method": "PUT"}
    assert site.ask("/", "OPTIONS", headers=preflight).status == 401


def test_an_application_with_bearer_tokens_of_its_own(enabled: Deployment) -> None:
    token = enabled.sign_in()
    own = {"Authorization": "Bearer the-application-s-own"}
    enabled.application.received.clear()
    assert enabled.ask("/api/x", headers={**cookie(token), **own}).text == "admin"
    assert enabled.application.received[0]["Authorization"] == own["Authorization"]
    assert enabled.ask("/", headers={**cookie(token), **own}).status == 401
    assert enabled.ask("/api/x", headers=bearer(token)).status == 401
    assert enabled.ask("/api/x", headers=own).status == 401
    assert enabled.ask("/admin/x", headers={**cookie(enabled.sign_in("user"))}).status == 403
    assert enabled.ask("/", headers=bearer(token)).text == "admin"
    assert APP in enabled.app
