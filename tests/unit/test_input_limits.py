"""The table of limits in docs/http.md states what the code does with every input."""

import contextlib
import re
from collections.abc import Callable

import pytest

from service import errors, middleware, schemas, users
from service.errors import Fault, Problem
from service.limits import client_limits
from service.login import cas as login_cas
from service.login.sso import attempt_cookies
from service.parsing import client_address, lenient_json, strict_json, strict_xml, urls
from service.providers import cas, http_client
from service.providers.openid import authorization
from service.schemas import base, queries, user_input
from service.server import chunked_body, refused_requests
from service.session.sign_out import MOST_BACK
from service.tokens import issuer
from service.web import accept, cookies, responses
from tests.support.environment import ROOT

TEXT = (ROOT / "docs" / "http.md").read_text()
_MOST = 1100


def longest(read: Callable[[str], object], text: Callable[[int], str] = "a".__mul__) -> int:
    """Return the length of the longest text that a reader accepts."""
    found = 0
    for length in range(1, _MOST):
        with contextlib.suppress(Problem, Fault, ValueError):
            read(text(length))
            found = length
    return found


def address(length: int) -> str:
    """Return an e-mail address of a length."""
    domain = (".".join(["a" * 60] * 5))[: length - 6]
    return f"ada@{domain}.org"[:length]


def field(name: str) -> Callable[[str], object]:
    return lambda text: schemas.user({"username": "a", name: text}, {})


PAGE = queries._Page.model_json_schema()["properties"]
STATED = {
    "request target": [f"{client_limits.LINE_BYTES:,} bytes"],
    "path of a target": [f"{refused_requests.MOST_SEGMENTS} segments"],
    "header": [f"{client_limits.LINE_BYTES:,} bytes"],
    "request head": [f"{client_limits.HEAD_BYTES:,} bytes"],
    "header lines": [f"{client_limits.HEAD_LINES} "],
    "`Accept`": [f"{accept.LOOKED_AT:,} characters"],
    "`If-None-Match`": [f"{responses.MOST_TAGS_LENGTH:,} characters"],
    "`X-Forwarded-For`": [f"{client_address.MOST_HOPS} addresses"],
    "`Content-Type`": [f"{middleware.CONTENT_TYPE_LENGTH} characters"],
    "cookies of a request": [f"{cookies.MOST_PAIRS:,} cookies, {cookies.MOST_ENCODED} percent"],
    "body": [f"{client_limits.BODY_BYTES:,} bytes"],
    "framing of a chunked body": [
        f"{chunked_body.OVERHEAD_BYTES:,} bytes of sizes",
        f"{chunked_body.LINE_BYTES:,} for the size",
        f"{client_limits.BODY_BYTES:,} bytes may come in chunks of 3 bytes",
    ],
    "JSON": [f"{strict_json.MAX_DEPTH} levels"],
    "fields of a form or a query": [f"{base.MOST_FAULTS} faults"],
    "user name": [f"{longest(users.normalize_username)} characters"],
    "role name": [f"{longest(users.normalize_role)} characters"],
    "display name": [f"{longest(field('name'))} characters"],
    "e-mail address": [f"{longest(field('email'), address)} characters"],
    "roles of a user": [f"{user_input.MOST_ROLES:,} names"],
    "name of a provider": [f"{longest(users.normalize_provider)} characters"],
    "subject at a provider": [f"{longest(users.normalize_subject)} characters"],
    "search `q`": [f"{longest(lambda text: queries.user_query({'q': text}))} characters"],
    "page of a list": [
        f"`limit` {longest(lambda text: queries.user_query({'limit': text}), str)}",
        f"`cursor` {PAGE['cursor']['anyOf'][0]['maxLength']:,} characters",
    ],
    "token in a cookie": [f"{issuer.MAX_BYTES:,} bytes"],
    "link to come back to (`next`, `rd`)": [f"{urls.MOST_NEXT:,} characters after the host"],
    "link after signing out at a CAS server": [f"{MOST_BACK:,} characters"],
    "sign-ins at a provider that a browser has begun": [
        f"{attempt_cookies.AT_MOST}, and {attempt_cookies.ALL_LENGTH:,} characters"
    ],
    "cookies of such a sign-in": [
        f"{attempt_cookies.MOST_COOKIES} of {attempt_cookies.COOKIE_LENGTH:,}"
    ],
    "answer of a provider": [
        f"{http_client._BYTES:,} bytes",
        http_client._HEADERS_LIMIT.removesuffix(" in the head"),
        http_client._LINE_LIMIT.partition(" ")[0],
    ],
    "JSON of a provider": [f"{lenient_json.MAX_DEPTH} levels"],
    "code in a callback of OpenID Connect, or error code": [
        f"{authorization._MAX_CODE:,} characters"
    ],
    "single logout of CAS": [f"{cas.MOST_LOGOUT_BYTES:,} bytes", f"{login_cas._MAX_FORM:,} for"],
    "XML of a CAS server": [
        f"{strict_xml.MOST:,} elements",
        f"{strict_xml.MOST:,} attributes",
        f"{strict_xml.MAX_DEPTH} levels",
        f"{strict_xml.MAX_NAMESPACE} characters",
    ],
}
"""What the table says of each input, from the constants of the code. Add new limits here."""


def section(name: str) -> list[list[str]]:
    """Return the cells of the table in a section."""
    (text,) = re.findall(rf"(?ms)^## {name}$(.*?)(?=^## |\Z)", TEXT)
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return lines[1:]


ROWS = {cells[0]: cells for cells in section("Limits")}
STATUS = {cells[0].strip("`"): int(cells[1]) for cells in section("Errors")}


def test_the_table_and_the_code_have_the_same_limits() -> None:
    assert ROWS.keys() == STATED.keys()


@pytest.mark.parametrize("name", STATED)
def test_the_table_states_what_the_code_does(name: str) -> None:
    for value in STATED[name]:
        assert value in ROWS[name][1]


@pytest.mark.parametrize("name", STATED)
def test_each_row_says_what_happens_and_with_which_code(name: str) -> None:
    _, _, above, code = ROWS[name]
    codes = re.findall(r"`(\w+)`", code)
    assert codes or code == "\N{EN DASH}"
    assert set(codes) <= STATUS.keys()
    if above.startswith("refused"):
        assert codes
        assert all(400 <= STATUS[each] < 500 or "provider" in each for each in codes)


def test_the_messages_name_their_limits() -> None:
    kib = client_limits.LINE_BYTES // 1024
    assert f"{kib} KiB" in errors.UriTooLong.detail
    assert f"{kib} KiB" in errors.HeadersTooLarge.detail
    assert f"{client_limits.HEAD_BYTES // 1024} KiB" in errors.HeadersTooLarge.detail
    assert f"{client_limits.BODY_BYTES // 1024} KiB" in errors.BodyTooLarge.detail
    assert f"{strict_json.MAX_DEPTH} levels" in errors.JsonInvalid.detail
