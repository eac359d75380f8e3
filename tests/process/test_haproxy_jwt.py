"""HAProxy that verifies the session by itself, with deploy/haproxy/haproxy-jwt.cfg."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.client import BROWSER, bearer, cookie
from tests.support.proxies import haproxy_jwt, prepared, running
from tests.support.proxy_site import Application, Deployment

KEY, STRANGER = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
NAVIGATION = {**BROWSER, "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def latchkey() -> Iterator[Application]:
    """Yield what stands in the place of Latchkey."""
    with Application() as other:
        yield other


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, latchkey: Application) -> Iterator[Deployment]:
    """Yield HAProxy with our key."""
    folder = tmp_path_factory.mktemp("haproxy-jwt")
    with prepared("haproxy", folder) as deployment:
        deployment.latchkey_port = latchkey.port
        public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "latchkey.pem").write_bytes(public)
        with running(deployment, haproxy_jwt(deployment)):
            yield deployment


@pytest.fixture
def site(shared: Deployment) -> Deployment:
    """Return the shared deployment, its application without memories."""
    shared.application.received.clear()
    return shared


def token(
    site: Deployment,
    *,
    key: EllipticCurvePrivateKey = KEY,
    typ: str = "JWT",
    without: str = "",
    **changes: Any,
) -> str:
    """Return a session of ada, or something near it."""
    now = int(time.time())
    claims = {
        "id": 7, "username": "ada", "iss": site.auth, "sub": "7", "iat": now, "exp": now + 600,
        "roles": [{"id": 1, "role": "editor"}, {"id": 2, "role": "manage_users"}],
        "jti": "j", "sid": "s", "ver": 1, "amr": ["pwd"], **changes,
    }  # fmt: skip
    claims.pop(without, None)
    return jwt.encode(claims, key, "ES256", {"typ": typ})


def test_a_session_passes_as_cookie_and_as_bearer_token(site: Deployment) -> None:
    good = token(site)
    forged = {"Remote-User": "forged", "Remote_User": "forged", "X-Latchkey-Assertion": "forged",
              "X-Remote-User": "forged", "X-WEBAUTH-USER": "forged"}  # fmt: skip
    for headers in (cookie(good), bearer(good), {"Authorization": f"bearer {good}"}):
        for path in ("/", "/admin/x"):
            assert site.ask(path, headers={**forged, **headers}).text == "ada"
    for seen in site.application.received:
        assert seen["Remote-User"] == seen["X-Auth-Request-User"] == "ada"
        assert seen["Remote-Groups"] == seen["X-Auth-Request-Groups"] == "editor,manage_users"
        assert "forged" not in str(seen)
        assert seen.all("Cookie") == []


def test_who_has_no_roles_has_none(site: Deployment) -> None:
    assert site.ask(headers=cookie(token(site, roles=[]))).status == 200
    assert site.application.received[0]["Remote-Groups"] == "-"


def test_without_the_role_it_is_403(site: Deployment) -> None:
    for roles in (
        [],
        [{"id": 1, "role": "manage_users_too"}],
        [{"id": 1, "role": "x-manage_users"}],
    ):
        for path in ("/admin", "/ADMIN/x", "/%61dmin/x"):
            assert site.ask(path, headers=cookie(token(site, roles=roles))).status == 403
    assert site.application.received == []


def test_what_is_no_session_of_ours_does_not_pass(site: Deployment) -> None:
    good = token(site)
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    none, secret = jwt.encode(claims, "", "none"), jwt.encode(claims, "x" * 64, "HS256")
    for bad in (
        "", "x", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", none, secret,
        token(site, key=STRANGER),
        token(site, exp=int(time.time()) - 1),
        token(site, exp=int(time.time())),
        token(site, without="exp"),
        token(site, without="sid"),
        token(site, without="sub"),
        token(site, without="iat"),
        token(site, without="ver"),
        token(site, without="iss"),
        token(site, without="username"),
        token(site, iss="https://auth.example.com"),
        token(site, iss=f"{site.auth}.example.com"),
        token(site, amr=["bypass"]),
        token(site, typ="latchkey-assertion+jwt"),
    ):  # fmt: skip
        for headers in (cookie(bad), bearer(bad), {**cookie(good), **bearer(bad)}):
            assert site.ask(headers=headers).status == 401, bad
    assert site.ask(headers={"Cookie": f"jwt={good}; jwt={good}"}).status == 401
    assert site.ask(headers=[*bearer(good).items(), *bearer("x").items()]).status == 401
    assert site.ask().status == 401
    assert site.application.received == []
    assert site.ask(headers=cookie(good)).status == 200


@pytest.mark.parametrize("path", ["/admin%zz", "/admin/5%", "/admin%0a", "/admin%20"])
def test_a_path_with_two_readings_is_refused(site: Deployment, path: str) -> None:
    assert site.ask(path, headers=cookie(token(site, roles=[]))).status == 400
    assert site.application.received == []


@pytest.mark.parametrize("form", ["a=b;\tjwt={}", "jwt ={}", "a=b, jwt={}", "jwt= {}"])
def test_a_session_that_would_not_be_taken_out_does_not_count(site: Deployment, form: str) -> None:
    answer = site.ask(headers={"Cookie": form.format(token(site))})
    assert answer.status == 401
    assert site.application.received == []


def test_a_person_is_led_to_the_sign_in(site: Deployment) -> None:
    target = "/wiki/S%C3%A9ance?q=a%26b&page=2"
    for headers in (NAVIGATION, BROWSER, {**NAVIGATION, **cookie("x")}):
        answer = site.ask(target, headers=headers)
        back = quote(site.app + target, safe="")
        assert answer.status == 302
        assert answer["Location"] == f"{site.auth}/auth/login?next={back}"
    for method, headers in (("POST", NAVIGATION), ("GET", {**BROWSER, "Sec-Fetch-Mode": "cors"})):
        answer = site.ask(target, method, headers=headers)
        assert (answer.status, answer.all("Location")) == (401, [])
        assert answer["WWW-Authenticate"] == "Bearer"


def test_a_link_that_is_too_long_leads_to_a_page_that_says_so(site: Deployment) -> None:
    for length, query in ((8000, "next="), (8001, "too_long=1"), (20_000, "too_long=1")):
        answer = site.ask("/".ljust(length, "a"), headers=NAVIGATION)
        assert answer["Location"].startswith(f"{site.auth}/auth/login?{query}")


def test_a_person_who_is_refused_gets_latchkeys_page(
    site: Deployment, latchkey: Application
) -> None:
    page = {"X-Page": "Latchkey's", "Remote-User": "ada", "X-Latchkey-Assertion": "secret"}
    latchkey.answers["/auth/verify"] = 200, page  # another opinion does not count
    plain = cookie(token(site, roles=[]))
    for path, method, headers, status, asked in (
        ("/admin/x?y=1", "GET", plain, 403, "&role=manage_users"),
        ("/admin/x?y=1", "POST", plain, 403, "&role=manage_users"),
        ("/form", "POST", {}, 401, ""),
    ):
        latchkey.received.clear()
        answer = site.ask(path, method, headers={**NAVIGATION, **headers})
        assert (answer.status, answer["X-Page"]) == (status, "Latchkey's")
        assert answer.all("Remote-User") == answer.all("X-Latchkey-Assertion") == []
        (question,) = latchkey.received
        assert question.target == f"/auth/verify?proxy=haproxy{asked}"
        assert (question.method, question["X-Original-Method"]) == ("GET", method)
        assert question["X-Original-URL"] == site.app + path
        assert question.all("Cookie") == [plain["Cookie"]] * bool(headers)
    latchkey.received.clear()
    assert site.ask("/admin/x", headers=plain).status == 403
    assert site.ask("/form", "POST").status == 401
    assert latchkey.received == site.application.received == []
