"""`/auth/verify` over HTTP: what a proxy is told, in which dialect, and what nobody can forge."""

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from tests.support.client import BROWSER, Answer, ask, bearer, cookie, send, sign_in
from tests.support.derived import assertion_key
from tests.support.environment import SECRET
from tests.support.keyfiles import key
from tests.support.servers import Server, Start

IDENTITY = {
    "Remote-User": "user",
    "Remote-Groups": "view_documents,view_communities",
    "Remote-Name": "-",
    "Remote-Email": "-",
    "X-Auth-Request-User": "user",
    "X-Auth-Request-Groups": "view_documents,view_communities",
    "X-Auth-Request-Email": "-",
    "X-Latchkey-Assertion": "-",
}
Carry = Callable[[str], dict[str, str]]
PATHS = ("/auth/verify", "/oauth2/auth")
X_ORIGINAL = {
    "X-Original-Method": "GET",
    "X-Original-URL": "https://app.example.org/deep/link?a=1&b=%20caf\u00e9#x",
}
X_FORWARDED = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.org",
    "X-Forwarded-Uri": "/deep/link?a=1&b=%20caf\u00e9#x",
}
DIALECTS = {
    "nginx": X_ORIGINAL,
    "haproxy": X_ORIGINAL,
    "caddy": X_FORWARDED,
    "traefik": X_FORWARDED,
}
REDIRECTED = {"caddy", "traefik"}
BACK = "https://app.example.org/deep/link?a=1&b=%20caf%C3%A9#x"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
PUBLIC = "https://auth.example.org"
TYPE = "latchkey-assertion+jwt"


@pytest.fixture(scope="module")
def behind(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server that a proxy on this machine may ask, with a key pair of its own."""
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    key(keys, "generate")
    return start(
        JWT_ALGORITHM="EdDSA",
        JWT_KEYS_FILE=str(keys),
        TRUSTED_PROXIES="127.0.0.1",
        PUBLIC_URL=PUBLIC,
        ALLOWED_REDIRECTS="https://app.example.org",
        COOKIE_DOMAIN="example.org",
        BYPASS_NETWORKS="127.0.0.1",
    )


def verify(server: Server, query: str = "", *, method: str = "GET", **headers: str) -> Answer:
    """Ask as a proxy does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    latin = {name: value.encode().decode("latin-1") for name, value in named.items()}
    return ask(server.port, f"/auth/verify{query}", method, headers=latin)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("carry", [cookie, bearer])
def test_who_is_signed_in_passes_with_name_and_roles(
    server: Server, path: str, carry: Carry
) -> None:
    answer = ask(server.port, path, headers=carry(sign_in(server.port, "user")))
    assert (answer.status, answer.body) == (200, b"")
    assert {name: answer[name] for name in IDENTITY} == IDENTITY
    assert answer["Vary"] == "Cookie, Authorization"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
def test_nobody_does_not_pass_and_learns_why(server: Server, path: str) -> None:
    for headers in ({}, cookie("bad"), bearer("bad"), BROWSER):
        answer = ask(server.port, path, headers=headers)
        assert answer.status == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer["Vary"] == "Cookie, Authorization"
        assert answer.all("Location") == []
        assert not set(IDENTITY) & {name for name, _ in answer.headers}
    assert ask(server.port, path).code == "credentials_missing"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?role=view_documents", 200),
        ("?role=manage_users", 403),
        ("?role=manage_users&role=view_documents", 200),
        ("?role=manage_users&role=manage_documents", 403),
        ("?role=view_communities&role=view_documents&all=1", 200),
        ("?role=view_communities&role=manage_users&all=1", 403),
        ("?role=view%5Fdocuments", 200),
        ("?all=1", 200),
        ("?proxy=nginx&role=view_documents", 200),
        ("?", 200),
    ],
)
def test_roles_decide(server: Server, query: str, status: int) -> None:
    token = sign_in(server.port, "user")
    assert verify(server, query, **cookie(token)).status == status
    assert verify(server, query).status == 401


@pytest.mark.parametrize(
    "query",
    [
        *("?roles=view_documents", "?Role=view_documents", "?role", "?role=", "?role=a,b", "?x"),
        *("?role=Admin", "?role=a%00", "?role=%ff", "?role=" + "a" * 65, "?role=a%2Cb", "?=a"),
        *("?all=true", "?all=0", "?all=", "?all=1&all=1", "?role=a;role=b", "?role=a&&role=b"),
        *("?proxy=apache", "?proxy=", "?proxy=nginx&proxy=caddy", "?proxy=NGINX", "?proxy=-"),
        *("?next=/", "?token=admin", "?role=view_documents&debug=1", "?user=admin"),
        "?" + "&".join("role=a" for _ in range(65)),
    ],
    ids=lambda query: query[:30],
)
def test_what_a_proxy_cannot_mean_is_refused_whoever_comes(server: Server, query: str) -> None:
    token = sign_in(server.port, "user")
    for headers in ({}, cookie(token)):
        answer = verify(server, query, **headers)
        assert (answer.status, answer.code) == (403, "forward_invalid")
        assert answer["Vary"] == "Cookie, Authorization"


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"]
)
def test_any_method_is_answered_as_get_is(server: Server, method: str) -> None:
    token = sign_in(server.port, "user")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = verify(server, method=method, **cookie(token), **foreign)
    assert (answer.status, answer.body) == (200, b"")
    assert answer["Remote-User"] == "user"
    assert verify(server, method=method).status == 401


def test_a_body_is_not_read(server: Server) -> None:
    token = sign_in(server.port, "user")
    head = f"POST /auth/verify HTTP/1.1\r\nHost: localhost\r\nCookie: jwt={token}\r\n"
    began = time.monotonic()
    never_sent = send(server.port, f"{head}Content-Length: 100000000\r\n\r\n".encode())
    assert never_sent.startswith(b"HTTP/1.1 200 ")
    packed = send(server.port, f"{head}Content-Encoding: br\r\nContent-Length: 9\r\n\r\n".encode())
    assert packed.startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < 30  # a connection that lingers, at most


def test_what_a_client_says_of_itself_has_no_influence(server: Server) -> None:
    forged = dict.fromkeys(IDENTITY, "admin") | {
        "Remote_User": "admin",
        "X-Forwarded-User": "admin",
        "X-Forwarded-Uri": "/public",
        "X-Original-URI": "/public",
        "X-Forwarded-Method": "OPTIONS",
        "User-Agent": "GoogleHC/1.0",
    }
    assert ask(server.port, "/auth/verify", headers=forged).status == 401
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/verify", headers={**forged, **cookie(token)})
    assert {name: answer[name] for name in IDENTITY} == IDENTITY


def test_name_and_address_are_there_when_they_are_known_and_fresh_when_they_change(
    start: Start,
) -> None:
    server = start()
    manager = bearer(sign_in(server.port))
    body = b'{"username": "zoe", "name": "Zo\xc3\xab, 100 %\\u20ac!", "email": "zoe@example.org"}'
    json = {"Content-Type": "application/json"}
    made = ask(server.port, "/api/v1/users", "POST", headers={**manager, **json}, body=body)
    token = sign_in(server.port, "zoe")
    answer = verify(server, **cookie(token))
    assert answer["Remote-Name"] == "Zo%C3%AB, 100 %25%E2%82%AC!"
    assert answer["Remote-Email"] == answer["X-Auth-Request-Email"] == "zoe@example.org"
    assert answer["Remote-Groups"] == answer["X-Auth-Request-Groups"] == "-"
    patch = b'{"name": "-", "roles": ["view_documents", "manage_documents"], "email": null}'
    path = made["Location"]
    assert ask(server.port, path, "PATCH", headers={**manager, **json}, body=patch).status == 200
    answer = verify(server, **cookie(token))
    assert (answer["Remote-Name"], answer["Remote-Email"]) == ("%2D", "-")
    assert set(answer["Remote-Groups"].split(",")) == {"view_documents", "manage_documents"}
    patch = b'{"disabled": true}'
    ask(server.port, path, "PATCH", headers={**manager, **json}, body=patch)
    assert verify(server, **cookie(token)).status == 401


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize("navigation", [NAVIGATION, BROWSER])
def test_a_page_leads_to_the_sign_in_and_back(
    behind: Server, proxy: str, navigation: dict[str, str]
) -> None:
    answer = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **navigation)
    assert (answer.status, answer.body) == (302 if proxy in REDIRECTED else 401, b"")
    assert bool(answer.all("WWW-Authenticate")) == (proxy not in REDIRECTED)
    assert answer["Vary"] == "Cookie, Authorization"
    target = urlsplit(answer["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{PUBLIC}/auth/login"
    assert parse_qs(target.query) == {"next": [BACK]}


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {**BROWSER, "Sec-Fetch-Mode": "cors"},
        {**BROWSER, "Sec-Fetch-Mode": "no-cors"},
        {**BROWSER, "Sec-Fetch-Mode": "websocket"},
        {**NAVIGATION, "X-Forwarded-Method": "POST", "X-Original-Method": "POST"},
        {**NAVIGATION, "X-Forwarded-Method": "get", "X-Original-Method": "get"},
        {**NAVIGATION, "X-Forwarded-Method": "", "X-Original-Method": ""},
        {**NAVIGATION, "X-Forwarded-Uri": "", "X-Original-Method": "DELETE"},
    ],
    ids=repr,
)
def test_everything_else_is_a_401_and_never_a_redirect(
    behind: Server, proxy: str, headers: dict[str, str]
) -> None:
    answer = verify(behind, f"?proxy={proxy}", **{**DIALECTS[proxy], **headers})
    assert (answer.status, answer.body, answer.all("Location")) == (401, b"", [])


@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_dialect_knows_no_other_and_each_header_once(behind: Server, proxy: str) -> None:
    other = X_FORWARDED if DIALECTS[proxy] is X_ORIGINAL else X_ORIGINAL
    assert verify(behind, f"?proxy={proxy}", **other, **NAVIGATION).all("Location") == []
    for name in DIALECTS[proxy]:
        fewer = {key: value for key, value in DIALECTS[proxy].items() if key != name}
        assert verify(behind, f"?proxy={proxy}", **fewer, **NAVIGATION).all("Location") == []
        lines = [*DIALECTS[proxy].items(), (name, DIALECTS[proxy][name]), *NAVIGATION.items()]
        head = "".join(f"{key}: {value}\r\n" for key, value in lines)
        request = (
            f"GET /auth/verify?proxy={proxy} HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: close\r\n{head}\r\n"
        )
        assert b"\r\nLocation:" not in send(behind.port, request.encode())


@pytest.mark.parametrize(
    "url",
    [
        *("https://evil.example/", "https://app.example.org.evil.example/", "//app.example.org/"),
        *("javascript:alert(1)", "/relative", "", "ftp://app.example.org/"),
        *("https://app.example.org:8443/", "http://app.example.org/"),
    ],
)
def test_an_address_that_is_not_ours_is_left_out_of_next(behind: Server, url: str) -> None:
    headers = {**X_ORIGINAL, "X-Original-URL": url, **NAVIGATION}
    answer = verify(behind, "?proxy=nginx", **headers)
    assert (answer.status, answer["Location"]) == (401, f"{PUBLIC}/auth/login")


@pytest.mark.parametrize("proxy", DIALECTS)
def test_from_a_proxy_that_is_not_trusted_no_word_of_it_counts(server: Server, proxy: str) -> None:
    answer = verify(server, f"?proxy={proxy}", **DIALECTS[proxy], **NAVIGATION)
    assert (answer.status, answer.all("Location")) == (401, [])
    token = sign_in(server.port, "user")
    answer = verify(server, f"?proxy={proxy}", **DIALECTS[proxy], **cookie(token))
    assert (answer.status, answer["X-Latchkey-Assertion"]) == (200, "-")


def signed_in(server: Server, username: str = "user") -> dict[str, str]:
    """Sign in under the public host name."""
    headers = {"Host": "auth.example.org"}
    answer = ask(server.port, f"/auth/bypass?token={username}", headers=headers)
    assert answer.status == 302
    return cookie(answer.token)


@pytest.mark.parametrize("proxy", DIALECTS)
def test_an_application_can_check_that_the_proxy_asked(behind: Server, proxy: str) -> None:
    jar = signed_in(behind)
    assertion = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **jar)["X-Latchkey-Assertion"]
    header = jwt.get_unverified_header(assertion)
    assert header["typ"] == TYPE
    keys = jwt.PyJWKSet.from_dict(ask(behind.port, "/.well-known/assertion-jwks.json").json)
    claims = jwt.decode(
        assertion,
        keys[header["kid"]],
        algorithms=["EdDSA"],
        audience="app.example.org",
        issuer=PUBLIC,
    )
    assert claims["exp"] - claims["iat"] == 60
    assert (claims["sub"], claims["username"]) == ("4", "user")
    assert [role["role"] for role in claims["roles"]] == ["view_documents", "view_communities"]
    assert claims.keys() == {"iss", "aud", "sub", "username", "roles", "iat", "exp"}
    # It is not a session: nobody gets in with it.
    for carry in (cookie, bearer):
        assert ask(behind.port, "/auth/me", headers=carry(assertion)).code == "token_invalid"
    again = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **jar)["X-Latchkey-Assertion"]
    assert again == assertion


def test_with_a_secret_an_application_has_a_key_that_makes_no_sessions(start: Start) -> None:
    behind = start(TRUSTED_PROXIES="127.0.0.1")
    jar = cookie(sign_in(behind.port, "user"))
    assertion = verify(behind, "?proxy=caddy", **X_FORWARDED, **jar)["X-Latchkey-Assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": "HS256", "typ": TYPE}
    claims = jwt.decode(
        assertion,
        assertion_key(SECRET),
        algorithms=["HS256"],
        audience="app.example.org",
        issuer=behind.url,
    )
    assert (claims["sub"], claims["username"]) == ("4", "user")
    forged = jwt.encode(
        jwt.decode(sign_in(behind.port), options={"verify_signature": False}),
        assertion_key(SECRET),
        "HS256",
    )
    for each in (assertion, forged):
        for carry in (cookie, bearer):
            assert ask(behind.port, "/auth/me", headers=carry(each)).code == "token_invalid"


def test_each_host_and_each_user_has_an_assertion_of_its_own(behind: Server) -> None:
    found = set()
    for username in ("admin", "user"):
        jar = signed_in(behind, username)
        for host in ("app.example.org", "wiki.example.org:8443"):
            headers = {**X_FORWARDED, "X-Forwarded-Host": host}
            answer = verify(behind, "?proxy=caddy", **headers, **jar)
            claims = jwt.decode(answer["X-Latchkey-Assertion"], options={"verify_signature": False})
            found.add((claims["username"], claims["aud"]))
    assert len(found) == 4
    assert ("user", "wiki.example.org:8443") in found


NO_HOSTS = [
    *("", "a b", "evil.example, app.example.org", "evil.example/,app.example.org"),
    "u@app.example.org",
    *("app.example.org:evil", "app.example.org:", "app.example.org:0", "app.example.org:99999"),
    *("app.example.org:443:443", "app.example.org:80@evil.example", "user:x@app.example.org"),
    *("app.example.org.", ".app.example.org", "%61pp.example.org", "app.example.org%00", "*", "-"),
    *("app.example.org/x", "app.example.org?x", "app.example.org#x", "app.example.org\\@e", "[::1"),
    *("[::g]", "app.example.org;x", '"><script>', "app.example.org\te", "caf\u00e9.example.org"),
    "1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("host", NO_HOSTS)
@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_host_that_is_none_is_refused_whoever_comes(
    behind: Server, proxy: str, host: str
) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": host}
    if DIALECTS[proxy] is X_ORIGINAL:
        headers = {**X_ORIGINAL, "X-Original-URL": f"https://{host}"}
    for credential in ({}, NAVIGATION, signed_in(behind)):
        answer = verify(behind, f"?proxy={proxy}", **headers, **credential)
        read = re.split(r"[/?#]", host)[0]
        if DIALECTS[proxy] is X_ORIGINAL and read in {"app.example.org", "evil.example"}:
            assert answer.status in {200, 401}  # of an address, only the host is judged
        else:
            assert (answer.status, answer.code) == (403, "forward_invalid")


@pytest.mark.parametrize(
    "host",
    ["app.example.org", "APP.example.org:8443", "app_1.example.org", "[::1]:80", "127.0.0.1"],
)
@pytest.mark.parametrize("scheme", ["https", "http", "wss"])
def test_a_plain_host_is_taken(behind: Server, host: str, scheme: str) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": host, "X-Forwarded-Proto": scheme}
    assert verify(behind, "?proxy=caddy", **headers, **signed_in(behind)).status == 200
    headers = {**X_ORIGINAL, "X-Original-URL": f"{scheme}://{host}/x?y=://u@z"}
    assert verify(behind, "?proxy=nginx", **headers, **signed_in(behind)).status == 200


def test_of_several_hosts_none_may_be_odd(behind: Server) -> None:
    head = "GET /auth/verify?proxy=caddy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for hosts in (
        ["evil.example/", "app.example.org"],
        ["app.example.org", "app.example.org:evil"],
    ):
        lines = "".join(f"X-Forwarded-Host: {host}\r\n" for host in hosts)
        assert send(behind.port, f"{head}{lines}\r\n".encode()).startswith(b"HTTP/1.1 403 ")


def test_from_a_proxy_that_is_not_trusted_no_host_is_read(server: Server) -> None:
    headers = {**X_FORWARDED, "X-Forwarded-Host": "evil.example/,app.example.org"}
    token = sign_in(server.port, "user")
    assert verify(server, "?proxy=caddy", **headers, **cookie(token)).status == 200


def test_signing_out_counts_at_once(server: Server) -> None:
    token = sign_in(server.port, "user")
    assert verify(server, **cookie(token)).status == 200
    ask(server.port, "/auth/logout", "POST", headers=cookie(token))
    assert verify(server, **cookie(token)).status == 401


def test_several_hosts_share_one_cookie(behind: Server) -> None:
    headers = {"Host": "auth.example.org"}
    answer = ask(behind.port, "/auth/bypass?token=user", headers=headers)
    _, *attributes = answer["Set-Cookie"].split("; ")
    assert sorted(attributes) == [
        *("Domain=example.org", "HttpOnly", "Max-Age=21600", "Path=/", "SameSite=Strict"),
        "Secure",
    ]
    out = ask(behind.port, "/auth/logout", "POST", headers=cookie(answer.token))
    shared, own = (line.split("; ") for line in out.all("Set-Cookie"))
    assert shared[0] == own[0] == "jwt="
    assert {"Domain=example.org", "Max-Age=0", "Path=/"} <= set(shared)
    assert set(own) == set(shared) - {"Domain=example.org"}


def test_a_cookie_from_before_there_was_a_domain_does_not_keep_anybody_out(behind: Server) -> None:
    headers = {"Host": "auth.example.org", "Cookie": "jwt=old; jwt=older"}
    shared, own = ask(behind.port, "/auth/bypass?token=user", headers=headers).all("Set-Cookie")
    assert "; Domain=example.org; " in shared
    assert (own.startswith("jwt=; "), "Domain" in own, "Max-Age=0" in own) == (True, False, True)


def test_nor_does_one_that_a_browser_keeps_back(behind: Server) -> None:
    """Whoever comes from the page of a provider has the old cookie, and does not send it."""
    headers = {"Host": "auth.example.org", "Sec-Fetch-Site": "cross-site"}
    shared, own = ask(behind.port, "/auth/bypass?token=user", headers=headers).all("Set-Cookie")
    assert "; Domain=example.org; " in shared
    assert (own.startswith("jwt=; "), "Domain" in own, "Max-Age=0" in own) == (True, False, True)


# --- The sign-in page for those whose browser keeps the cookie back -------------------------------

LOGIN = "/auth/login?next=/auth/me"
CROSS = {"Sec-Fetch-Site": "cross-site"}


def test_a_link_of_another_site_asks_again_with_the_cookie(server: Server) -> None:
    page = ask(server.port, LOGIN, headers=CROSS)
    again = "/auth/login?next=%2Fauth%2Fme&amp;landed=1"
    assert page.status == 200
    assert f'content="0; url={again}"' in page.text
    again = again.replace("&amp;", "&")
    jar = cookie(sign_in(server.port, "user"))
    same = {"Sec-Fetch-Site": "same-origin"}
    led_on = ask(server.port, again, headers={**jar, **same})
    assert (led_on.status, led_on["Location"]) == (302, "/auth/me")
    signed_out = ask(server.port, again, headers=same)
    assert (signed_out.status, "token=user&amp;next=%2Fauth%2Fme" in signed_out.text) == (200, True)


def test_nobody_is_led_on_without_that_page(server: Server) -> None:
    jar = cookie(sign_in(server.port, "user"))
    for query in ("?next=/auth/me", "?next=/auth/me&landed=0", "?landed=1", "?next=//e&landed=1"):
        assert ask(server.port, f"/auth/login{query}", headers=jar).status == 200


def test_under_lax_the_cookie_comes_along_and_nothing_is_asked_again(start: Start) -> None:
    page = ask(start(COOKIE_SAMESITE="Lax").port, LOGIN, headers=CROSS)
    assert "refresh" not in page.text
