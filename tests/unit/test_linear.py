"""No reader of what strangers send takes more than its length: 16 times as much, 16 times the work.

Work is the processor time of this process. A reader whose work grows with the square of the length
takes 256 times as long for 16 times as much; 64 times are let through, so that no other load on the
machine matters.
"""

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict, CIMultiDictProxy

from service import errors, schemas
from service.forward_auth import original_request
from service.parsing import (
    base64url,
    client_address,
    content_type,
    strict_form,
    strict_json,
    strict_xml,
    urls,
)
from service.providers import cas, claim_values
from service.providers.openid import LoginRejected, jwt
from service.session import bearer_token
from service.telemetry import logs
from service.tokens import jws
from service.web import accept, cookies, responses
from tests.support.cas import logout_request, response

SMALL, TIMES = 4096, 16
"""The large inputs are as long as the longest body."""
ALLOWED = 64
_LEAST = 0.0002
"""Seconds below which a clock says nothing."""
_TRIES = 3

Read = Callable[[str], object]

EVERYBODY = [ip_network("::/0"), ip_network("0.0.0.0/0")]


def in_header(name: str) -> Callable[[str], CIMultiDictProxy[str]]:
    return lambda text: CIMultiDictProxy(CIMultiDict({name: text}))


def forwarded(dialect: str) -> Read:
    original = original_request.DIALECTS[dialect].original

    def read(text: str) -> object:
        given = {
            "X-Forwarded-Method": "GET",
            "X-Forwarded-Proto": "https",
            "X-Original-Method": "GET",
        }
        found = original(lambda name: [given.get(name, text)])
        return found and found.host

    return read


READERS: dict[str, Read] = {
    "JSON": lambda text: strict_json.loads(text.encode()),
    "a JWT": jws.peek,
    "a JWT with such a payload": lambda text: jws.peek(
        f"e30.{base64url.encode(text.encode()).decode()}.x"
    ),
    "a JWT of a provider": jwt.unverified,
    "a form": lambda text: strict_form.loads(text.encode()),
    "the fields of a form": lambda text: schemas.form([(part, part) for part in text.split("&")]),
    "XML": lambda text: strict_xml.loads(text.encode()),
    "XML inside an element": lambda text: strict_xml.loads(f"<r>{text}</r>".encode()),
    "XML inside a tag": lambda text: strict_xml.loads(f"<r a='' {text}/>".encode()),
    "an answer of CAS": lambda text: cas.read_answer(response(text)),
    "a logout request of CAS": lambda text: cas.read_logout_request(logout_request(text)),
    "a ticket of CAS": lambda text: cas.TICKET.fullmatch(f"ST-{text}"),
    "Accept": lambda text: accept.prefers_html(in_header("Accept")(f"text/html,{text}")),
    "Content-Type": lambda text: content_type.of(in_header("Content-Type")(f"a/b;{text}")),
    "Content-Type in quotes": lambda text: content_type.of(
        in_header("Content-Type")(f'a/b;c="{text}')
    ),
    "a cookie": lambda text: cookies.read([f"jwt=1;{text}"], "jwt"),
    "a cookie on many lines": lambda text: cookies.read(text.split(";"), "jwt"),
    "lengths of cookies": lambda text: cookies.lengths([text], "jwt"),
    "where to go next": lambda text: urls.path_of(urls.safe_next([f"/{text}"], [])),
    "the path of an address": lambda text: urls.path_of(f"/{text}"),
    "an origin": lambda text: urls.origin_of(f"https://{text}/"),
    "an origin with a port": lambda text: urls.origin_of(f"https://a{text}:1/"),
    "an address that is numeric": lambda text: urls.is_address(f"{text}.1"),
    "X-Forwarded-For": lambda text: client_address.client(
        client_address.address("::1"), [text], EVERYBODY
    ),
    "Host": client_address.is_rebindable,
    "a question of a proxy": original_request.question,
    "X-Original-URL": forwarded("nginx"),
    "X-Forwarded-Host": forwarded("caddy"),
    "Authorization": lambda text: bearer_token(
        make_mocked_request("GET", "/", {"Authorization": f"Bearer {text}"})
    ),
    "If-None-Match": lambda text: responses.is_known(
        make_mocked_request("GET", "/", {"If-None-Match": text}), '"b"'
    ),
    "the values of a claim": lambda text: claim_values.values_of(text, {"a b", "a"}),
    "a value of the log": logs.redact,
}

UNITS: dict[str, tuple[str, ...]] = {
    "brackets": ("[", "]", "{", "[]", '{"":', "[[],", "}{"),
    "quotes": ('"', "'", '\\"', '"\\', "\\", '"",', '"a" , ', 'W/"",', '";', '="', "='"),
    "blanks": (" ", "\t", "\n", "\u00a0", " ;", "a ", " a=1"),
    "separators": (",", ";", "&", "=", "a=1&", "a&", "a=1;", "a=b=", "a/b,", "a/b;q=1,", "jwt=1;"),
    "names": ("a", "jwt", "jwt ", '"jwt', "jwt,", "%6awt=", "eyJ", "eyJa.", "bearer ", "xmlns"),
    "escapes": ("%", "%41", "%2e%2e/", "%C3%A9", "\\u0041", "\\ud800", "&#97;", "&amp;", "&"),
    "addresses": (
        "1.",
        "1",
        "::",
        "0x1.",
        "1.1.1.1,",
        "a.",
        "a-",
        "[",
        "@",
        ":",
        "//",
        "../",
        "?a",
    ),
    "markup": (
        *("<", ">", "<a>", "<a/>", "</a>", "<!--", "<!---->", "<?a?>", "<![CDATA[", "]]>"),
        *("<![CDATA[]]>", "<a b=''/>", "<a xmlns='b'>", "<!DOCTYPE a [", "<?xml ", "<a b='"),
    ),
    "numbers": ("0", "9", "1e5,", "1,", "-", "1e", "."),
    "others": ("\u00e9", "\u202e", "\U0001f600", "\x00", "\x7f", "#", "|", "A"),
}

NUMBERED = {
    "attributes": " {0}=''",
    "names of elements": "<{0}/>",
    "namespaces": " xmlns:{0}='{0}'",
    "members": '"{0}":1,',
    "fields": "{0}=1&",
    "cookies": "{0}=1;",
}


def hostile(length: int) -> Iterator[tuple[str, str]]:
    """Yield texts of a length, by what they are."""
    for kind, units in UNITS.items():
        for unit in units:
            yield f"{kind} {unit!a}", unit * (length // len(unit.encode()))
    for kind, unit in NUMBERED.items():
        parts = (unit.format(f"n{number:x}") for number in range(length // (len(unit) + 4)))
        yield kind, "".join(parts)
    half, most = length // 2, length // 32
    yield "nested, then an open text of quotes", "[" * 33 + '"' + '\\"' * half
    yield "nested, then texts", "[" * 33 + '"\\"",' * (length // 5)
    yield "an object with an open text", '{"a":' * 33 + '"' + "\\\\" * half
    attributes = " ".join(f"n:a{number:x}=''" for number in range(most))
    yield "a long namespace on many attributes", f"<a xmlns:n='{'u' * half}' {attributes}/>"
    elements = "".join(f"<n:a{number:x}/>" for number in range(most))
    yield "a long namespace on many elements", f"<a xmlns:n='{'u' * half}'>{elements}</a>"


MEMORIES = [
    value
    for name, module in sorted(sys.modules.items())
    if name.startswith("service.")
    for value in vars(module).values()
    if hasattr(value, "cache_clear")
]
"""Those of readers: only the first time costs anything."""


def seconds(read: Read, text: str) -> float:
    for memory in MEMORIES:
        memory.cache_clear()
    before = time.process_time()
    with contextlib.suppress(ValueError, RecursionError, errors.Problem, LoginRejected):
        read(text)
    return time.process_time() - before


@pytest.mark.parametrize("reader", READERS)
def test_the_work_grows_as_the_length_does(reader: str) -> None:
    read = READERS[reader]
    gc.collect()
    for (kind, small), (_, large) in zip(hostile(SMALL), hostile(SMALL * TIMES), strict=True):
        base = max(_LEAST, min(seconds(read, small) for _ in range(_TRIES)))
        tries = (seconds(read, large) for _ in range(_TRIES))
        assert any(each <= ALLOWED * base for each in tries), f"{kind}: {base} s for the small one"
