"""The session over HTTP: which credential counts, what clears it, and who may ask for that."""

import time
from urllib.parse import quote

import jwt
import pytest

from service.app import create_app
from service.session.browser import ONLY_READ
from tests.support.client import BROWSER, ask, bearer, cookie, sign_in
from tests.support.environment import PROVIDERS, SECRET, Settings
from tests.support.servers import Server, Start


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Return a good token of `admin`."""
    return sign_in(server.port)


def test_the_same_token_is_good_as_cookie_and_as_bearer(server: Server, token: str) -> None:
    for headers in (cookie(token), bearer(token), {"Authorization": f"bEaReR  {token}"}):
        answer = ask(server.port, "/auth/me", headers=headers)
        assert answer.status == 200
        assert answer.json.keys() == {"id", "username", "roles", "expires_at", "method"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "credentials_missing"),
        ({"Authorization": "Basic YTpi"}, "credentials_missing"),
        ({"Authorization": "Digest Bearer"}, "credentials_missing"),
        ({"Cookie": "other=1; jwtx={token}; Jwt={token}"}, "credentials_missing"),
        ({"Cookie": "a=b;\tjwt={token}"}, "credentials_missing"),
        ({"Cookie": "a=b;\u00a0jwt={token}"}, "credentials_missing"),
        ({"Cookie": "jwt ={token}"}, "credentials_missing"),
        ({"Cookie": "jwt="}, "token_invalid"),
        ({"Cookie": 'jwt="{token}"'}, "token_invalid"),
        ({"Cookie": "jwt={token}\t; a=b"}, "token_invalid"),
        ({"Cookie": "jwt={token}; jwt={token}"}, "cookie_ambiguous"),
        ({"Cookie": "jwt=bad; a=b;jwt={token}"}, "cookie_ambiguous"),
        ({"Cookie": "jwt =bad; jwt={token}"}, "cookie_ambiguous"),
        ({"Cookie": "jwt={token}; \tjwt=bad"}, "cookie_ambiguous"),
        ({"Cookie": "jwt={token}; \u00a0jwt=bad"}, "cookie_ambiguous"),
        ({"Cookie": "theme=a, jwt=bad; jwt={token}"}, "cookie_ambiguous"),
        ({"Authorization": "Bearer"}, "token_invalid"),
        ({"Authorization": "Bearer {token} x"}, "token_invalid"),
        ({"Authorization": "Bearer {token},"}, "token_invalid"),
        ({"Authorization": "Bearer bad", "Cookie": "jwt={token}"}, "token_invalid"),
        ({"Authorization": "Bearer bad", "Cookie": "jwt=a; jwt=b"}, "token_invalid"),
    ],
    ids=str,
)
def test_a_credential_that_is_not_good_is_a_401_with_a_code(
    server: Server, token: str, headers: dict[str, str], code: str
) -> None:
    sent = {name: value.replace("{token}", token) for name, value in headers.items()}
    answer = ask(server.port, "/auth/me", headers=sent)
    assert (answer.status, answer.code) == (401, code)
    challenge = answer["WWW-Authenticate"]
    assert challenge.startswith("Bearer")
    assert ("invalid_token" in challenge) == (code != "credentials_missing")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YTpi", "Cookie": "jwt={token}"},
        {"Authorization": "Bearer {token}", "Cookie": "jwt=bad"},
        {"Authorization": "Bearer {token}", "Cookie": "jwt=a; jwt=b"},
        {"Cookie": "a=b;jwt={token};c=d"},
        {"Cookie": "$Version=1; jwt={token}"},
    ],
    ids=str,
)
def test_other_things_beside_a_good_credential_do_no_harm(
    server: Server, token: str, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("{token}", token) for name, value in headers.items()}
    assert ask(server.port, "/auth/me", headers=sent).status == 200


def test_an_exchanged_token_is_of_the_same_session_and_does_not_outlive_it(
    server: Server, token: str
) -> None:
    first = ask(server.port, "/auth/token", headers=cookie(token))
    assert first.json.keys() == {"token", "token_type", "expires_in"}
    assert first.json["token_type"] == "Bearer"
    assert first["Cache-Control"] == "no-store"
    second = ask(server.port, "/auth/token", headers=bearer(first.json["token"])).json
    expires = {
        ask(server.port, "/auth/me", headers=bearer(each)).json["expires_at"]
        for each in (token, first.json["token"], second["token"])
    }
    assert len(expires) == 1
    assert second["expires_in"] <= first.json["expires_in"] <= 6 * 3600


def test_an_exchanged_token_of_an_older_version_says_how_long_it_is_good(
    server: Server, token: str
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(time.time())
    del claims["auth_time"]
    old = jwt.encode({**claims, "iat": now - 100, "exp": now + 200}, SECRET)
    answer = ask(server.port, "/auth/token", headers=bearer(old)).json
    assert 190 <= answer["expires_in"] <= 200
    assert jwt.decode(answer["token"], options={"verify_signature": False})["exp"] == now + 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_clears_the_cookie_with_its_own_attributes(
    server: Server, token: str, method: str
) -> None:
    answer = ask(server.port, "/auth/logout?next=/auth/login", method, headers=cookie(token))
    assert (answer.status, answer["Location"]) == (302, "/auth/login")
    value, *attributes = answer["Set-Cookie"].split("; ")
    assert value == "jwt="
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=0"]
    )


def test_a_bad_cookie_is_cleared_too(server: Server) -> None:
    for bad in ("jwt=bad", "jwt=a; jwt=b"):
        answer = ask(server.port, "/auth/logout", headers={"Cookie": bad})
        assert "Max-Age=0" in answer["Set-Cookie"]


def test_a_link_on_another_site_signs_nobody_out(server: Server, token: str) -> None:
    for hint in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Purpose": "prefetch"},
        {"Origin": "https://evil.example"},
    ):
        answer = ask(server.port, "/auth/logout?next=/x", headers={**cookie(token), **hint})
        assert answer.status == 200
        assert answer.all("Set-Cookie") == []
        assert '<form method="post" action="/auth/logout?next=%2Fx">' in answer.text
    # Where the browser says nothing, a Strict cookie stays at home, and there is nothing to clear.
    assert ask(server.port, "/auth/logout", headers=BROWSER).all("Set-Cookie") == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 302),
        ({"Sec-Fetch-Site": "none"}, 302),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:{port}"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "http://localhost:{port}"}, 302),
        ({"Origin": "http://127.0.0.1:{port}"}, 302),
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 302),
    ],
    ids=str,
)
def test_an_unsafe_method_with_the_cookie_has_to_come_from_this_site(
    server: Server, token: str, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.replace("{port}", str(server.port)) for name, value in headers.items()}
    answer = ask(server.port, "/auth/logout", "POST", headers={**cookie(token), **sent})
    assert answer.status == status
    if status == 403:
        assert answer.code == "cross_site_request"
        assert answer.all("Set-Cookie") == []
    with_bearer = ask(server.port, "/auth/logout", "POST", headers={**bearer(token), **sent})
    assert with_bearer.status == 302


def test_without_secure_the_cookie_says_so_everywhere(start: Start) -> None:
    server = start(COOKIE_SECURE="false", COOKIE_NAME="session", JWT_AUDIENCE="api")
    answer = ask(server.port, "/auth/bypass?token=user")
    assert "Secure" not in answer["Set-Cookie"]
    headers = {"Cookie": answer["Set-Cookie"].partition(";")[0]}
    assert ask(server.port, "/auth/me", headers=headers).json["username"] == "user"
    assert "Secure" not in ask(server.port, "/auth/logout", headers=headers)["Set-Cookie"]


def test_no_next_leads_to_what_changes_something_by_a_get(settings: Settings) -> None:
    """Else a link of another site would sign people in or out: it is we who lead there."""
    app = create_app(settings(**PROVIDERS))
    gets = [route for route in app.router.routes() if route.method in {"GET", "*"}]
    paths = {route.resource.canonical for route in gets if route.resource}
    ours = {path for path in paths if path.startswith("/auth/")}
    assert ours > ONLY_READ
    assert sorted(ours - ONLY_READ) == [
        *("/auth/bypass", "/auth/cas", "/auth/logout", "/auth/oidc", "/auth/oidc/callback"),
        *("/auth/oidc/{provider}", "/auth/oidc/{provider}/callback"),
    ]


@pytest.mark.parametrize(
    "to",
    [
        *(
            "/auth/logout",
            "/auth/logout?everywhere=true",
            "/auth/%256cogout",
            "/auth/cas",
            "/auth/x",
        ),
        *(
            "/a/../auth/logout",
            "/auth/oidc?next=/",
            "{url}/auth/logout",
            "/auth/bypass?token=admin",
        ),
    ],
)
def test_a_sign_in_leads_home_instead(server: Server, to: str) -> None:
    to = quote(to.format(url=server.url), safe="%")
    answer = ask(server.port, f"/auth/bypass?token=user&next={to}")
    assert (answer.status, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("to", ["/auth/me", "/auth/token", "/auth/login?next=/a", "/a/auth/logout"])
def test_what_changes_nothing_can_be_where_it_leads(server: Server, to: str) -> None:
    answer = ask(server.port, f"/auth/bypass?token=user&next={quote(to, safe='')}")
    assert answer["Location"] == to
