"""Behind a real nginx, Caddy and HAProxy with the files of deploy/: who passes, as whom, how."""

import base64
import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import pytest

from tests.support.client import BROWSER, Answer, bearer, cookie
from tests.support.proxies import (
    APP,
    AUTH,
    IDENTITY,
    PROGRAMS,
    Application,
    Deployment,
    Headers,
    deployed,
    deployed_beside,
)
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

NAVIGATION = {**BROWSER, "Sec-Fetch-Mode": "navigate"}
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


def _with(sign: str) -> Callable[[str], str]:
    return lambda name: name.replace("-", sign)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda name: name,
    "lower case": str.lower,
    "upper case": str.upper,
    "mixed case": str.swapcase,
    "underscores": lambda name: name.replace("-", "_"),
    "dots": lambda name: name.replace("-", "."),
    "an underscore and dashes": lambda name: name.replace("-", "_", 1),
    "a dot at the end": lambda name: ".".join(name.rsplit("-", 1)),
    **{f"with {sign}": _with(sign) for sign in "!#$%&'*+^`|~"},
    "upper case and underscores": lambda name: name.upper().replace("-", "_"),
}


@pytest.fixture(scope="module", params=PROGRAMS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> Iterator[Deployment]:
    """Yield a deployment that the tests share."""
    folder = tmp_path_factory.mktemp(request.param)
    with deployed(request.param, folder, start) as deployment:
        yield deployment


@pytest.fixture
def site(shared: Deployment) -> Deployment:
    """Return the shared deployment, its application without memories."""
    shared.application.received.clear()
    shared.application.answers.clear()
    return shared


def reached(site: Deployment, path: str = "/", method: str = "GET", **request: object) -> list[str]:
    """Return the targets that the application saw of one request."""
    site.application.received.clear()
    site.ask(path, method, **request)  # type: ignore[arg-type]
    return [each.target for each in site.application.received]


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


@pytest.mark.parametrize(
    "path",
    [
        "//admin/x",
        "/public//admin/x",
        "/./admin/x",
        "/public/../admin/x",
        "/public/..",
        "/public/..;/admin/x",
        "/public/%2e%2e/admin/x",
        "/public/.%2E/admin/x",
        "/public/..%2fadmin/x",
        "/public/%252e%252e/admin/x",
        "/public/..%5cadmin/x",
        "/public\\..\\admin\\x",
        "/admin;x=1/x",
        "/admin%3bx=1/x",
        "/admin%00/x",
        "/admin%0a",
        "/admin%09",
        "/admin%0D/x",
        "/admin%7f",
        "/admin%20",
        "/admin%20/x",
        "/admin%2520",
        "/public/.%09./admin",
        "/public/..%20/admin",
        "/public/..%c0%afadmin",
        "/public/%C0%AE%c0%ae/admin",
        "/public/..%e0%80%afadmin",
        "/admin/5%",
        "/admin/%zz",
        "/admin/x%2",
        "/admin%zz",
        "/public/#/../../admin/x",
    ],
)
def test_a_path_with_two_readings_is_refused(site: Deployment, path: str) -> None:
    for headers in ({}, cookie(site.sign_in("admin"))):
        assert site.ask(path, headers=headers).status == 400
    assert site.application.received == []


def test_a_path_with_one_reading_arrives_as_it_was_sent(site: Deployment) -> None:
    for target in (
        "/a.b/c..d/.well-known/...?x=//../;%2e%2F\\",
        "/%C3%A9/100%25/a%20b/~x/(1)/:@!$&'*+,=",
    ):
        assert reached(site, target, headers=cookie(site.sign_in())) == [target]


def test_a_long_address_is_checked_or_refused(site: Deployment) -> None:
    headers = cookie(site.sign_in())
    for target in ("/" + "x" * length for length in (7500, 8100, 8150, 8180, 8300, 20_000)):
        site.application.received.clear()
        answer = site.ask(target, headers=headers)
        seen = [(each.target, each["Remote-User"]) for each in site.application.received]
        if answer.status == 200:
            assert (answer.text, seen) == ("admin", [(target, "admin")])
        else:
            assert answer.status >= 400
            assert len(target) > 7600
            assert seen == []


def test_signing_out_counts_at_once(site: Deployment) -> None:
    token = site.sign_in()
    assert site.ask(headers=cookie(token)).status == 200
    site.ask("/auth/logout", "POST", headers=cookie(token), host=AUTH)
    started = time.perf_counter()
    answer = site.ask(headers=cookie(token))
    milliseconds = 1000 * (time.perf_counter() - started)
    print(f"{site.program}: refused {milliseconds:.0f} ms after sign-out")  # noqa: T201  # a figure
    assert answer.status == 401


# Bodies, WebSockets, connections


@pytest.mark.parametrize("framing", ["Content-Length", "chunked"])
def test_an_upload_reaches_the_application_whole(site: Deployment, framing: str) -> None:
    headers = [*cookie(site.sign_in()).items()]
    body = b"x" * 3_000_000
    if framing == "chunked":
        pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        answer = _send_chunked(site, headers, wire)
    else:
        answer = site.ask("/upload", "POST", headers=headers, body=body)
    assert answer.status == 200
    assert [each.body_bytes for each in site.application.received] == [len(body)]
    assert site.ask("/upload", "POST", body=body[:1000]).status == 401
    assert len(site.application.received) == 1


def _send_chunked(site: Deployment, headers: Headers, wire: bytes) -> Answer:
    lines = ["POST /upload HTTP/1.1", f"Host: {APP}:{site.port}", "Transfer-Encoding: chunked"]
    lines += ["Connection: close", *(f"{name}: {value}" for name, value in headers), "", ""]
    received = site.send("\r\n".join(lines).encode() + wire, patience=20)
    return Answer(int(received.split(b" ", 2)[1]), [], received)


def test_a_websocket_passes_after_the_check(site: Deployment) -> None:
    token = site.sign_in("user")
    forged = {"Remote-User": "admin", "Remote_User": "admin"}
    for headers in (cookie(token), bearer(token)):
        answer = site.talk("hello", {**headers, **forged})
        assert (answer.status, answer.text) == (101, "user: hello")
    site.application.received.clear()
    for headers in (forged, cookie("nonsense")):
        assert site.talk("hello", headers).status == 401
    assert site.application.received == []


def test_nothing_else_upgrades(site: Deployment) -> None:
    headers = [
        *cookie(site.sign_in()).items(),
        ("Connection", "Upgrade, HTTP2-Settings, Remote-User"),
        ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", base64.b64encode(bytes(16)).decode()),
    ]
    for upgrades in (
        ["h2c"],
        ["TLS/1.0"],
        ["websocket, h2c"],
        ["h2c, websocket"],
        ["websocket", "h2c"],
        ["h2c", "websocket"],
    ):
        site.ask(headers=[*headers, *(("Upgrade", each) for each in upgrades)])
    seen = site.application.received
    assert {upgrade.lower() for each in seen for upgrade in each.all("Upgrade")} <= {"websocket"}
    assert [each.all("Remote-User") for each in seen] == [["admin"]] * len(seen)


SEEN = "POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: jwt={token}\r\n"
HIDDEN = "GET /admin/hidden HTTP/1.1\r\nHost: {host}\r\nRemote-User: admin\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: {size}\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "Content-Length: 0, {size}\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: {size}\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "X: y\r\n Content-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "X: y\nContent-Length: 0\r\nContent-Length: {size}\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n",
        "Connection: Content-Length\r\nContent-Length: {size}\r\n\r\n",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: {size}\r\n\r\n",
    ],
)
def test_no_request_comes_in_hidden_in_another(site: Deployment, framing: str) -> None:
    for path, token in (("/public/x", ""), ("/x", site.sign_in("user"))):
        hidden = HIDDEN.format(host=f"{APP}:{site.port}")
        seen = SEEN.format(path=path, host=f"{APP}:{site.port}", token=token)
        site.send((seen + framing.format(size=len(hidden)) + hidden).encode())
    targets = {each.target for each in site.application.received}
    assert targets <= {"/public/x", "/x"}
    assert site.ask(headers=cookie(site.sign_in("manager"))).text == "manager"


def test_the_request_line_names_no_other_site(site: Deployment) -> None:
    token = site.sign_in("user")
    for line, host in (
        (f"GET {site.app}/admin/x HTTP/1.1", f"{APP}:{site.port}"),
        (f"GET {site.auth}/public/../admin/x HTTP/1.1", f"{APP}:{site.port}"),
        (f"GET {site.app}/admin/x HTTP/1.1", f"{AUTH}:{site.port}"),
        ("GET /admin/x HTTP/1.1", f"{APP}:{site.port}\r\nHost: {AUTH}:{site.port}"),
        ("GET /admin/x HTTP/1.1", "evil.example.org"),
        ("GET /x HTTP/1.1", "evil.example.org"),
        ("GET /public/x HTTP/1.1", "evil.example.org"),
        ("GET http:///admin/x HTTP/1.1", APP),
        ("GET admin/x HTTP/1.1", APP),
    ):
        site.send(f"{line}\r\nHost: {host}\r\nCookie: jwt={token}\r\n\r\n".encode())
    assert site.application.received == []


@pytest.mark.parametrize("junk", [":80@evil.example.org", ':"><script>', ":evil.example.org"])
def test_the_host_that_the_application_sees_is_no_story(site: Deployment, junk: str) -> None:
    token = site.sign_in()
    site.send(f"GET /x HTTP/1.1\r\nHost: {APP}{junk}\r\nCookie: jwt={token}\r\n\r\n".encode())
    for request in site.application.received:
        assert request["Host"].partition(":")[0] == APP
        assert request["Host"].partition(":")[2] in {"", str(site.port)}


@pytest.mark.parametrize(
    "path", ["/auth/verify", "/oauth2/auth", "//auth/verify", "/auth/verif%79", "/auth/./verify",
             "/AUTH/VERIFY", "/auth/verify/", "/auth/verify?proxy=caddy", "/metrics"]
)  # fmt: skip
def test_the_proxys_question_is_not_for_clients(site: Deployment, path: str) -> None:
    story = {
        "X-Original-Method": "GET",
        "X-Original-URL": f"{site.app}/",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Uri": "/",
    }
    answer = site.ask(path, headers={**cookie(site.sign_in()), **story}, host=AUTH)
    assert answer.status in {400, 404}
    assert [name for name in IDENTITY if answer.all(name)] == []


def test_http_leads_to_https(site: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", site.plain_port), timeout=10) as connection:
        connection.sendall(f"GET /x HTTP/1.1\r\nHost: {APP}\r\n\r\n".encode())
        first = connection.recv(65536).decode()
    assert first.split(" ", 2)[1] in {"301", "308"}
    assert f"location: https://{APP}" in first.lower()


def test_a_name_that_is_not_served_is_no_way_in(site: Deployment) -> None:
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        site.ask("/public/x", host="other.example.org")
    assert site.application.received == []


# Latchkey gone, Latchkey strange

GONE = {500, 502, 503, 504}
ANSWER = {name: f"the {name.rpartition('-')[2]}" for name in IDENTITY}


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_latchkey_nobody_passes(program: str, tmp_path: Path, start: Start) -> None:
    with deployed(program, tmp_path, start) as site:
        token = site.sign_in()
        assert site.ask(headers=cookie(token)).text == "admin"
        site.application.received.clear()
        site.server.process.send_signal(signal.SIGSTOP)
        try:
            assert site.ask(headers={**NAVIGATION, **cookie(token)}).status in GONE
        finally:
            site.server.process.send_signal(signal.SIGCONT)
        assert site.application.received == []
        assert site.ask(headers=cookie(token)).text == "admin"
        site.application.received.clear()
        site.server.process.kill()
        for headers in (cookie(token), {}, {**NAVIGATION, **cookie(token)}):
            answer = site.ask(headers=headers)
            assert answer.status in GONE
            assert answer.all("Location") == []
        assert site.ask("/admin/x", headers=cookie(token)).status in GONE
        assert site.talk("hello", cookie(token)).status in GONE
        assert site.application.received == []
        assert site.ask("/public/x").status == 200


@pytest.fixture(scope="module", params=PROGRAMS)
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, Application]]:
    """Yield a deployment, and what it asks in the place of Latchkey."""
    folder = tmp_path_factory.mktemp(request.param)
    with (
        Application() as other,
        deployed_beside(other, request.param, folder) as deployment,
    ):
        yield deployment, other


@pytest.fixture
def asked(beside: tuple[Deployment, Application]) -> tuple[Deployment, Application]:
    """Return the same, without memories; who is asked lets everybody pass."""
    site, other = beside
    site.application.received.clear()
    other.received.clear()
    other.answers["/auth/verify"] = 200, ANSWER
    return site, other


def test_latchkey_is_asked_and_nothing_more(asked: tuple[Deployment, Application]) -> None:
    site, other = asked
    headers = {
        **NAVIGATION,
        "Cookie": "a=1; jwt=x",
        "Authorization": "Bearer y",
        "Content-Type": "text/plain",
        "Expect": "",
    }
    for number in range(20):
        answer = site.ask(f"/a?{number}", "POST", headers=headers, body=b"x" * 100_000)
        assert answer.status == 200
    assert len(site.application.received) == len(other.received) == 20
    for question in other.received:
        assert (question.method, question.body_bytes) == ("GET", 0)
        assert question.target == f"/auth/verify?proxy={site.program}"
        assert question.all("Transfer-Encoding") == []
        assert question.all("Content-Length") in ([], ["0"])
        assert (question["Cookie"], question["Authorization"]) == ("a=1; jwt=x", "Bearer y")
        assert question["Sec-Fetch-Mode"] == "navigate"
    assert len({question.peer for question in other.received}) < 5
    site.ask("/admin/x")
    assert other.received[-1].target == f"/auth/verify?proxy={site.program}&role=manage_users"
    (told,) = (each for each in site.application.received if each.target == "/admin/x")
    assert {name: told[name] for name in IDENTITY} == ANSWER


@pytest.mark.parametrize("status", [302, 307, 404, 500, 503])
def test_an_answer_that_is_none_lets_nobody_pass(
    asked: tuple[Deployment, Application], status: int
) -> None:
    site, other = asked
    other.answers["/auth/verify"] = status, {**ANSWER, "Location": "https://auth.example.org/"}
    answer = site.ask(headers=NAVIGATION)
    assert answer.status == status or answer.status >= 500
    assert site.application.received == []


def test_a_header_that_latchkey_leaves_out_is_not_the_clients(
    asked: tuple[Deployment, Application],
) -> None:
    site, other = asked
    for missing in IDENTITY:
        other.answers["/auth/verify"] = 200, {k: v for k, v in ANSWER.items() if k != missing}
        forged = [(name_of(missing), "forged") for name_of in SPELLINGS.values()]
        assert site.ask(headers=forged).status in {200, 500, 503}
    assert "forged" not in str(site.application.received)
