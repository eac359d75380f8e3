"""Headers that make no sense: each is refused or ignored, and never a fault of ours."""

import ast
import re
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from service import errors
from service.app import create_app
from service.parsing import content_type
from service.parsing.content_type import Media
from service.web import access
from service.web.responses import MOST_TAGS_LENGTH
from tests.support.client import ask, rested
from tests.support.environment import PROVIDERS, ROOT, Settings
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

JSON, FORM = "application/json", "application/x-www-form-urlencoded"

READ: list[tuple[str, Media]] = [
    (JSON, Media(JSON)),
    ("Application/JSON", Media(JSON)),
    (f" {FORM}\t", Media(FORM)),
    (f"{FORM}; charset=utf-8", Media(FORM)),
    (f"{FORM};charset=UTF-8", Media(FORM)),
    (f'{FORM} ; charset="utf-8" ', Media(FORM)),
    (f"{JSON};charset=utf8", Media(JSON)),
    (f"{JSON};", Media(JSON)),
    (f"{JSON}; ;charset=utf-8;", Media(JSON)),
    (f'{JSON};a="x;charset=utf-16\\"";b=c', Media(JSON)),
    (f"{JSON};xcharset=utf-16", Media(JSON)),
    (f"{JSON};charset=utf-16", Media(JSON, is_utf_8=False)),
    (f"{JSON};charset=iso-8859-1", Media(JSON, is_utf_8=False)),
    (f"{JSON};charset*=utf-8''utf-16", Media(JSON, is_utf_8=False)),
    (f"{JSON};charset*0=utf-16", Media(JSON, is_utf_8=False)),
    (f'{JSON};charset=""', Media(JSON, is_utf_8=False)),
    ("multipart/form-data; boundary=x", Media("multipart/form-data")),
    ("text/*", Media("text/*")),
]

REFUSED = [
    *(
        "",
        " ",
        "json",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a b/c",
        "a/b c",
        "a/b,c/d",
        '"a/b"',
        "a/b\0",
        "é/b",
    ),
    *(
        f"{FORM}{rest}"
        for rest in (";a*", ";*", ";a*0*", ";a", ";a=", ";=b", ";a =b", ";a= b", ",")
    ),
    *(
        f"{FORM}{rest}"
        for rest in (';a="', ';a="\\', ';a="b"c', ';a="\n"', ";a='b;'", ";a=(b)", ";a=é")
    ),
    *(f"{JSON}; charset=utf-8; charset{rest}=utf-8" for rest in ("", "*", "*0")),
    f"{JSON}, {JSON}",
]


def sent(*lines: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict([("Content-Type", line) for line in lines]))


@pytest.mark.parametrize(("text", "read"), READ)
def test_a_content_type_is_read(text: str, read: Media) -> None:
    assert content_type.of(sent(text)) == read


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_what_is_no_content_type_is_refused(text: str) -> None:
    with pytest.raises(errors.ContentTypeUnsupported):
        content_type.of(sent(text))


def test_there_is_one_content_type_or_none() -> None:
    assert content_type.of(sent()) == Media("")
    with pytest.raises(errors.ContentTypeUnsupported):
        content_type.of(sent(JSON, JSON))


# --- What the library reads when it is asked, and how, is not up to us ---------------------------

LAZY = frozenset(
    {
        *("content_type", "charset", "cookies", "if_match", "if_modified_since", "if_none_match"),
        *(
            "if_range",
            "if_unmodified_since",
            "http_range",
            "forwarded",
            "multipart",
            "post",
            "json",
        ),
        *("text", "host", "url"),
    }
)
"""Properties and methods of a request that read a header, or a body by what a header says."""
ALLOWED = {
    ("web/responses.py", "if_none_match"),  # the only reader of it: only up to a length
    ("login/bypass.py", "host"),  # as the client sent it, or without `Host` a name of ours
}


def test_headers_are_read_by_our_own_readers() -> None:
    found = set()
    for path in (ROOT / "service").rglob("*.py"):
        name = str(path.relative_to(ROOT / "service"))
        if name.startswith("fake_provider/"):
            continue  # for development: nobody else asks it
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in LAZY:
                owner = node.value
                if isinstance(owner, ast.Name) and owner.id == "request":
                    found.add((name, node.attr))
    assert found == ALLOWED


# --- Whatever comes, on every open route ---------------------------------------------------------

NAMES = (
    *("Accept", "Authorization", "Connection", "Content-Type", "Cookie", "Expect", "Forwarded"),
    *("Host", "If-Match", "If-Modified-Since", "If-None-Match", "Origin", "Purpose", "Range"),
    *("Sec-Fetch-Mode", "Upgrade", "X-Forwarded-For", "X-Forwarded-Host", "X-Original-URL"),
)
VALUES = (
    *(
        "",
        ",",
        ";",
        "=",
        '"',
        '"a',
        "\\",
        "*",
        "%",
        "%zz",
        "://",
        "[",
        "]:x",
        "é",
        "\x80\xff",
        "-1",
    ),
    *(
        "a/b;a*",
        "a/b;a*0*='",
        f"{FORM};a*",
        f"{JSON};*",
        "a/b;a*=x'y'%",
        "=?utf-8?q?a?=",
        "=?x?b?!?=",
    ),
    *("bytes=9-1", 'W/"', "1e999", "9" * 5000, "jwt=%", 'jwt="', "Bearer", "Bearer é", "gzip;q=x"),
    *("http://[", "https://é", "1.2.3.4.5", "a" * 8000, "[" * 2000, '"\\' * 2000),
)


def open_routes(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route that asks for nothing, and of a proxy's question."""
    for route in create_app(settings(**PROVIDERS)).router.routes():
        path = "" if route.resource is None else route.resource.canonical
        if access.rules(route.handler).public or path == "/auth/verify":
            method = "POST" if route.method == "*" else route.method
            yield method, re.sub(r"{[^}]+}", "campus" if "oidc" in path else "1", path)


@pytest.fixture(scope="module")
def curious(start: Start) -> Server:
    return start(**PROVIDERS, TRUSTED_PROXIES="127.0.0.1/32")


@pytest.mark.parametrize("name", NAMES)
def test_no_header_is_a_fault_of_ours(curious: Server, settings: Settings, name: str) -> None:
    failed = []
    for method, path in sorted(set(open_routes(settings))):
        query = "?proxy=nginx" if path == "/auth/verify" else "?since=0"
        connection = HTTPConnection("127.0.0.1", curious.port, timeout=20)
        for value in VALUES:
            body = b"logoutRequest=x&logout_token=x" if method == "POST" else None
            headers = {"Content-Type": FORM, name: value} if body else {name: value}
            connection.request(
                method,
                path + query,
                body,
                {each: text.encode("latin-1") for each, text in headers.items()},
            )
            answer = connection.getresponse()
            answer.read()
            if answer.status == 500:
                failed.append((method, path, value))
        connection.close()
    assert not failed
    assert "Traceback" not in curious.log()


# --- Entity tags ----------------------------------------------------------------------------------

TAGGED = ("/openapi.json", "/docs/swagger-ui.css", "/.well-known/jwks.json", "/auth/revocations")


@pytest.mark.parametrize("path", TAGGED)
def test_a_long_list_of_entity_tags_is_not_read(server: Server, path: str) -> None:
    if path == "/auth/revocations":
        rested(3)
        place = ask(server.port, path)["ETag"].strip('"').partition(".")[0]
        path = f"{path}?since={place}"
    etag = ask(server.port, path)["ETag"]
    room = MOST_TAGS_LENGTH - len(etag) - len('"",')
    for length, status in ((room, 304), (room + 1, 200)):
        known = {"If-None-Match": f'"{"x" * length}",{etag}'}
        assert ask(server.port, path, headers=known).status == status
