"""`GET /auth/logout` ends a session only when a person opens it, and never all of them."""

import html

import pytest

from tests.support.client import BROWSER, Answer, ask, bearer, cookie, send, sign_in
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

Headers = dict[str, str]


def loaded(site: str, mode: str, dest: str) -> Headers:
    """Return the headers of a browser that loads something."""
    return {**BROWSER, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}


OPENED = {
    "typed into the address bar": loaded("none", "navigate", "document"),
    "a link of ours": loaded("same-origin", "navigate", "document"),
    "a link of a sibling host": loaded("same-site", "navigate", "document"),
    "an older browser": BROWSER,
    "no browser": {},
    "a browser that names the site alone": {"Sec-Fetch-Site": "same-origin"},
}

CHANGES_NOTHING = {
    **{
        f"{dest} of a {site} page": loaded(site, mode, dest)
        for site in ("same-origin", "same-site", "cross-site")
        for mode, dest in (
            ("no-cors", "image"),
            ("no-cors", "script"),
            ("no-cors", "style"),
            ("no-cors", "video"),
            ("no-cors", "empty"),
            ("cors", "empty"),
            ("same-origin", "empty"),
            ("navigate", "iframe"),
            ("navigate", "frame"),
            ("navigate", "embed"),
            ("navigate", "object"),
            ("navigate", "fencedframe"),
            ("no-cors", "document"),
            ("websocket", "websocket"),
            ("navigate", "empty"),
        )
    },
    "a link of another site": loaded("cross-site", "navigate", "document"),
    "another site, by a browser that names it alone": {"Sec-Fetch-Site": "cross-site"},
    "a sibling host, by a browser that names it alone": {"Sec-Fetch-Site": "same-site"},
    "a site that no browser names": loaded("own-site", "navigate", "document"),
    "an empty site": {"Sec-Fetch-Site": ""},
    "a mode without a destination": {"Sec-Fetch-Mode": "navigate"},
    "a destination without a mode": {"Sec-Fetch-Dest": "document"},
    "a prefetch": {**loaded("same-origin", "navigate", "document"), "Sec-Purpose": "prefetch"},
    "a prerendering": {
        **loaded("none", "navigate", "document"),
        "Sec-Purpose": "prefetch;prerender",
    },
    "a prerendering, said so alone": {"Sec-Purpose": "prerender"},
    "a preview": {"Purpose": "preview"},
    "a preview of an older browser": {"X-Purpose": "preview"},
    "an origin that is not ours": {"Origin": "https://evil.example"},
    "an origin that nobody knows": {"Origin": "null"},
}


@pytest.fixture(scope="module")
def by_cas(start: Start) -> Server:
    """Return a server on which one signs in by CAS."""
    return start(CAS_URL="https://cas.example.org")


def is_signed_in(server: Server, token: str) -> bool:
    return ask(server.port, "/auth/me", headers=bearer(token)).status == 200


def assert_only_asks(answer: Answer, action: str) -> None:
    assert answer.status == 200
    assert answer.all("Set-Cookie") == []
    assert f'<form method="post" action="{action}"><button>' in html.unescape(answer.text)


@pytest.mark.parametrize("headers", OPENED.values(), ids=OPENED)
def test_a_person_who_opens_the_link_is_signed_out(server: Server, headers: Headers) -> None:
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/logout?next=/x", headers={**cookie(token), **headers})
    assert (answer.status, answer["Location"]) == (302, "/x")
    assert "Max-Age=0" in answer["Set-Cookie"]
    assert not is_signed_in(server, token)


@pytest.mark.parametrize("headers", CHANGES_NOTHING.values(), ids=CHANGES_NOTHING)
def test_anything_else_changes_nothing_and_shows_the_button(
    server: Server, headers: Headers
) -> None:
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/logout?next=/x", headers={**cookie(token), **headers})
    assert_only_asks(answer, "/auth/logout?next=%2Fx")
    assert is_signed_in(server, token)


@pytest.mark.parametrize("headers", OPENED.values(), ids=OPENED)
@pytest.mark.parametrize(
    ("query", "action"),
    [
        ("everywhere=true&next=/x", "next=%2Fx&everywhere=true"),
        ("everywhere=false&next=/x", "next=%2Fx"),
        ("everywhere=&next=/x", "next=%2Fx"),
        ("everywhere=true&everywhere=true&next=/x", "next=%2Fx"),
        ("%65verywhere=true&next=/x", "next=%2Fx&everywhere=true"),
    ],
)
def test_no_link_ends_all_sessions(
    server: Server, headers: Headers, query: str, action: str
) -> None:
    token, other = sign_in(server.port, "user"), sign_in(server.port, "user")
    answer = ask(server.port, f"/auth/logout?{query}", headers={**cookie(token), **headers})
    assert_only_asks(answer, f"/auth/logout?{action}")
    assert is_signed_in(server, token)
    assert is_signed_in(server, other)


@pytest.mark.parametrize("token", [None, "bad"])
@pytest.mark.parametrize(
    "headers",
    [OPENED[name] for name in OPENED if name != "an older browser"],
)
def test_without_a_session_there_is_none_to_end(
    server: Server, headers: Headers, token: str | None
) -> None:
    sent = headers if token is None else {**headers, **cookie(token)}
    answer = ask(server.port, "/auth/logout?everywhere=true", headers=sent)
    assert answer.status == 200
    text = html.unescape(answer.text)
    assert "<h1>You are not signed in</h1>" in text
    assert '<a href="/auth/login">sign in</a> first.' in text
    assert "<form" not in text
    assert "ends all your sessions" not in text


@pytest.mark.parametrize(
    "headers", [BROWSER, loaded("cross-site", "navigate", "document")], ids=["silent", "cross"]
)
def test_where_the_cookie_may_be_withheld_the_button_is_shown(
    server: Server, headers: Headers
) -> None:
    answer = ask(server.port, "/auth/logout?everywhere=true", headers=headers)
    assert_only_asks(answer, "/auth/logout?next=%2F&everywhere=true")


def test_the_button_ends_all_sessions(server: Server) -> None:
    token, other = sign_in(server.port, "user"), sign_in(server.port, "user")
    headers = {**cookie(token), **loaded("same-origin", "navigate", "document")}
    answer = ask(server.port, "/auth/logout?next=%2Fx&everywhere=true", "POST", headers=headers)
    assert (answer.status, answer["Location"]) == (302, "/x")
    assert not is_signed_in(server, token)
    assert not is_signed_in(server, other)


BESIDE = {
    "a cookie of a sibling host": lambda good: {"Cookie": f"jwt={good}; jwt=x"},
    "one that comes first": lambda good: {"Cookie": f"jwt=x; jwt={good}"},
    "another spelling": lambda good: {"Cookie": f"jwt ={good}x; jwt={good}"},
    "a bad bearer token": lambda good: {**cookie(good), **bearer("of.another.application")},
    "a bearer token": lambda good: {**bearer(good), "Cookie": "jwt=x"},
    "behind a hundred others": lambda good: {"Cookie": "jwt=x; " * 100 + f"jwt={good}"},
}


@pytest.mark.parametrize("everywhere", ["", "?everywhere=true"])
@pytest.mark.parametrize("beside", BESIDE)
def test_no_other_credential_saves_a_session_from_its_end(
    server: Server, beside: str, everywhere: str
) -> None:
    token = sign_in(server.port, "user")
    answer = ask(server.port, f"/auth/logout{everywhere}", "POST", headers=BESIDE[beside](token))
    assert answer.status == 302
    assert ask(server.port, "/auth/me", headers=bearer(token)).code == "token_revoked"


@pytest.mark.parametrize("before", ["a=x; " * 1001, "jwt=x; " * 201], ids=["cookies", "of ours"])
def test_a_sign_out_that_cannot_read_the_cookies_says_so(server: Server, before: str) -> None:
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/logout", "POST", headers={"Cookie": f"{before}jwt={token}"})
    assert (answer.status, answer.code) == (401, "cookie_ambiguous")


def test_every_session_of_a_request_ends(server: Server) -> None:
    tokens = [sign_in(server.port, name) for name in ("user", "manager", "contributor")]
    headers = {"Cookie": f"jwt={tokens[0]}; jwt={tokens[1]}", **bearer(tokens[2])}
    assert ask(server.port, "/auth/logout", "POST", headers=headers).status == 302
    for token in tokens:
        assert ask(server.port, "/auth/me", headers=bearer(token)).code == "token_revoked"


@pytest.mark.parametrize(
    "lines",
    [
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: document\r\n",
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Dest: image\r\n",
        "Sec-Purpose: x\r\nSec-Purpose: prefetch\r\n",
        "Origin: http://localhost:{port}\r\nOrigin: https://evil.example\r\n",
    ],
)
def test_a_header_that_comes_twice_is_not_believed(server: Server, lines: str) -> None:
    token = sign_in(server.port, "user")
    head = (
        f"GET /auth/logout HTTP/1.1\r\nHost: localhost:{server.port}\r\nConnection: close\r\n"
        f"Cookie: jwt={token}\r\n{lines.replace('{port}', str(server.port))}\r\n"
    )
    assert send(server.port, head.encode()).startswith(b"HTTP/1.1 200 ")
    assert is_signed_in(server, token)


def test_head_is_not_answered(server: Server) -> None:
    token = sign_in(server.port, "user")
    answer = ask(server.port, "/auth/logout", "HEAD", headers=cookie(token))
    assert (answer.status, answer["Allow"]) == (405, "GET,POST")
    assert is_signed_in(server, token)


@pytest.mark.parametrize("site", ["same-site", "cross-site", "", "own-site"])
def test_the_form_works_on_our_pages_alone(server: Server, site: str) -> None:
    token = sign_in(server.port, "user")
    headers = {**cookie(token), **loaded(site, "navigate", "document")}
    for path in ("/auth/logout", "/auth/logout?everywhere=true"):
        answer = ask(server.port, path, "POST", headers={**headers, "Accept": "*/*"})
        assert (answer.status, answer.code) == (403, "cross_site_request")
    assert is_signed_in(server, token)


# --- The other `GET`s that change something.

BACKGROUND = {
    name: headers
    for name, headers in CHANGES_NOTHING.items()
    if headers.get("Sec-Fetch-Dest") in {"image", "script", "style", "video", "embed", "object"}
    or "Purpose" in str(headers)
    or ("cross-site page" in name)
}
BACKGROUND |= {
    "the fetch() of a sibling that cannot read the answer": loaded("same-site", "no-cors", "empty"),
    "a sibling's request without a destination": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "no-cors",
    },
    "an iframe of a sibling": loaded("same-site", "navigate", "iframe"),
    "a frame of a sibling": loaded("same-site", "navigate", "frame"),
}


@pytest.mark.parametrize("headers", BACKGROUND.values(), ids=BACKGROUND)
def test_nothing_is_signed_in_behind_a_page(server: Server, headers: Headers) -> None:
    answer = ask(server.port, "/auth/bypass?token=user", headers={**headers, "Accept": "*/*"})
    assert (answer.status, answer.code) == (403, "prefetch_refused")
    assert answer.all("Set-Cookie") == []


FOR_DEVELOPERS = {
    "a tool": {},
    "a page object of a test tool": loaded("none", "navigate", "document"),
    "a front end on another port": loaded("same-site", "navigate", "document"),
    "its fetch()": loaded("same-site", "cors", "empty"),
    "the fetch() of a page of ours": loaded("same-origin", "cors", "empty"),
    "a test tool that shows pages in a frame": loaded("same-origin", "navigate", "iframe"),
}


@pytest.mark.parametrize("headers", FOR_DEVELOPERS.values(), ids=FOR_DEVELOPERS)
def test_the_development_sign_in_works_for_tests(server: Server, headers: Headers) -> None:
    answer = ask(server.port, "/auth/bypass?token=user", headers=headers)
    assert answer.status == 302
    assert answer.token


@pytest.mark.parametrize("headers", BACKGROUND.values(), ids=BACKGROUND)
def test_no_provider_is_asked_behind_a_page(by_cas: Server, headers: Headers) -> None:
    for path in ("/auth/cas", f"/auth/cas?attempt={'a' * 22}&ticket=ST-1"):
        answer = ask(by_cas.port, path, headers={**headers, "Accept": "*/*"})
        assert (answer.status, answer.code) == (403, "prefetch_refused")
        assert answer.all("Set-Cookie") == []
