"""Hostile CAS: each answer is refused as it should be, nobody signed in, nothing secret logged."""

import gzip
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from service.keys import key_ring, shared_secret
from service.tokens.encrypted import EncryptedValues
from tests.support import cas, sso
from tests.support.cas import PAGE, TICKET, back, begin, failure, response, success
from tests.support.client import Answer, ask, bearer
from tests.support.environment import SECRET
from tests.support.servers import Server, Start
from tests.support.sso import Reply, Scripted

STORES = ("sqlite",)  # no store has a part in this

ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
BOMB = (
    '<!DOCTYPE a [<!ENTITY a "admin">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi"))  # noqa: B905
    + "]>"
)
DEEP = "<cas:a>" * 4000 + "</cas:a>" * 4000
INVALID, REFUSED = "provider_answer_invalid", "sign_in_refused"
UNAVAILABLE = "provider_unavailable"
STATUS = {INVALID: 502, REFUSED: 401, UNAVAILABLE: 503}
CHUNKED = {"Transfer-Encoding": "chunked"}

ANSWERS: list[tuple[str, bytes | Reply | None, str]] = [
    ("used already", failure("INVALID_TICKET", "Ticket not recognized"), REFUSED),
    ("for another service", failure("INVALID_SERVICE"), REFUSED),
    ("a user inside the failure", failure("X", "<cas:user>admin</cas:user>"), REFUSED),
    ("a code that is not one", failure("&#10;&#10;admin signed in"), REFUSED),
    ("two users", success("admin", "<cas:user>user</cas:user>"), INVALID),
    ("no user", response("<cas:authenticationSuccess/>"), INVALID),
    ("success and failure", success("admin", after="<cas:authenticationFailure/>"), INVALID),
    ("failure hidden in success", response(failure("X").decode()), INVALID),
    ("two successes", success("admin", after="<cas:authenticationSuccess/>"), INVALID),
    ("nothing in it", response(""), INVALID),
    ("a user of two parts", success("ad<cas:b/>min"), INVALID),
    ("a user with a comment", success("admin<!-- -->.evil"), INVALID),
    ("a user with an instruction", success("admin<?x?>"), INVALID),
    ("a user further down", success("<cas:user>admin</cas:user>"), INVALID),
    ("text among the elements", success("admin", "eve"), INVALID),
    ("text beside the answer", success("admin", after="eve"), INVALID),
    ("an empty user", success(""), INVALID),
    ("a blank user", success(" \n "), INVALID),
    ("a user of two lines", success("admin&#10;eve"), INVALID),
    ("a user that turns the text around", success("&#x202e;nimda"), INVALID),
    ("a doctype", response("", before="<!DOCTYPE a>"), INVALID),
    ("an outside entity", response("&x;", before=ENTITY), INVALID),
    ("an entity bomb", response("&i;", before=BOMB), INVALID),
    ("an entity nobody declared", success("&admin;"), INVALID),
    ("UTF-16", success("admin").decode().encode("utf-16"), INVALID),
    ("declared as UTF-16", b'<?xml version="1.0" encoding="UTF-16"?>' + success("admin"), INVALID),
    ("Latin-1", b'<?xml version="1.0" encoding="ISO-8859-1"?>' + success("admin"), INVALID),
    ("UTF-7", b"<?xml version='1.0' encoding='UTF-7'?>" + success("admin"), INVALID),
    ("bytes that are no text", success("admin") + b"\xff", INVALID),
    ("a zero byte", success("admin\0"), INVALID),
    ("XML 1.1", b'<?xml version="1.1"?>' + success("admin"), INVALID),
    ("nothing", b"", INVALID),
    ("half of it", success("admin")[:-9], INVALID),
    ("two documents", success("admin") * 2, INVALID),
    ("HTML", b"<!doctype html><title>Sign in</title>", INVALID),
    ("JSON", b'{"serviceResponse": {"authenticationSuccess": {"user": "admin"}}}', INVALID),
    ("plain CAS 1.0", b"yes\nadmin\n", INVALID),
    ("another namespace", success("admin").replace(b"yale", b"evil"), INVALID),
    ("no namespace", success("admin").replace(b"cas:", b""), INVALID),
    ("a user of another namespace", success("admin").replace(b"cas:user", b"user"), INVALID),
    ("another root", success("admin").replace(b"serviceResponse", b"response"), INVALID),
    ("a proxy ticket", success("admin", "<cas:proxies/>"), INVALID),
    ("two lists of attributes", success("admin", "<cas:attributes/>" * 2), INVALID),
    ("text among the attributes", success("a", "<cas:attributes>a</cas:attributes>"), INVALID),
    ("no end of nesting", response(DEEP), INVALID),
    ("packed", (200, {"Content-Encoding": "gzip"}, gzip.compress(success("admin"))), INVALID),
    ("65,537 bytes", success("admin") + b" " * 65537, INVALID),
    ("10 MB", success("admin") + b" " * 10_000_000, INVALID),
    ("a length that is none", (200, {"Content-Length": "-5"}, success("admin")), INVALID),
    ("a length that never comes", (200, {"Content-Length": "999"}, success("a")), UNAVAILABLE),
    ("two lengths", (200, CHUNKED, b"ffff\r\n" + success("admin")), INVALID),
    ("a line of 9,000 bytes", (200, {"X-Long": "x" * 9000}, success("admin")), INVALID),
    ("a name of 256 letters", success("a" * 256), INVALID),
    ("4,097 elements", response("<cas:a/>" * 4097), INVALID),
    ("an error of the server", failure("INTERNAL_ERROR"), UNAVAILABLE),
    ("a redirect", (302, {"Location": "/other"}, success("admin")), INVALID),
    ("a redirect to us", (302, {"Location": "http://localhost/"}, b""), INVALID),
    ("404", (404, {}, success("admin")), INVALID),
    ("500", (500, {}, success("admin")), UNAVAILABLE),
    ("429", (429, {}, success("admin")), UNAVAILABLE),
    ("501", (501, {}, success("admin")), INVALID),
    ("204", (204, {}, b""), INVALID),
    ("a connection that breaks", None, UNAVAILABLE),
]


@pytest.fixture(scope="module")
def provider() -> Iterator[Scripted]:
    with sso.scripted(lambda _: success("admin")) as running:
        yield running


@pytest.fixture(scope="module")
def server(start: Start, provider: Scripted) -> Server:
    """Return a server that believes every name, so that a wrong reading would sign somebody in."""
    return start(CAS_URL=provider.url, CAS_TRUST_USERNAMES="true", PROVISION_USERS="true")


def assert_refused(server: Server, answer: Answer, status: int, code: str) -> None:
    """Assert that nobody was signed in, and that the log has no secret."""
    assert (answer.status, answer.code) == (status, code), answer.text
    assert cas.jwt(answer) is None
    log = server.log(until=f"code={code}")
    assert "secret-until" not in log
    assert "gAAAA" not in log
    assert "traceback" not in log.lower()
    assert "secret-until" not in answer.text


@pytest.mark.parametrize(
    ("reply", "code"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_an_answer_that_signs_nobody_in(
    server: Server, provider: Scripted, reply: bytes | Reply | None, code: str
) -> None:
    provider.asked.clear()
    provider.script = lambda _: reply
    attempt = begin(server)
    answer = back(server, attempt, TICKET)
    assert_refused(server, answer, STATUS[code], code)
    assert answer["Set-Cookie"].startswith(f"{attempt.name}=;")
    assert "Max-Age=0" in answer["Set-Cookie"]
    (asked,) = provider.asked
    assert asked.query == {"service": [attempt.service], "ticket": [TICKET]}


LIMITS: dict[str, tuple[bytes | Reply, str]] = {
    "an answer": (success("admin") + b" " * 65537, "64 KiB"),
    "a line of the head": ((200, {"X-Long": "x" * 9000}, success("admin")), "8,190 bytes"),
    "elements": (response("<cas:a/>" * 4097), "4,096 elements"),
    "attributes": (response("<a b='' c=''/>" * 2100), "4,096 attributes"),
    "levels": (response("<a>" * 40 + "</a>" * 40), "32 levels"),
    "a namespace": (response(f"<a xmlns='{'u' * 300}'/>"), "256 characters"),
    "a name": (success("a" * 256), "255 characters"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_an_answer_over_a_limit_names_it(server: Server, provider: Scripted, name: str) -> None:
    reply, limit = LIMITS[name]
    provider.script = lambda _: reply
    answer = back(server, begin(server), TICKET)
    assert_refused(server, answer, 502, INVALID)
    assert limit in answer.json["detail"]
    assert "Retry-After" not in dict(answer.headers)
    lines = server.log(until=answer["X-Request-ID"]).splitlines()
    (line,) = [line for line in lines if " refused code" in line and answer["X-Request-ID"] in line]
    assert limit in line
    page = back(server, begin(server), TICKET, **PAGE)
    assert limit in page.text


def test_the_same_provider_signs_in_when_it_answers_well(
    server: Server, provider: Scripted
) -> None:
    provider.script = lambda _: (
        b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n"
        + success(
            "\n  Admin\n", "<cas:attributes><!-- none --><cas:a><cas:b/></cas:a></cas:attributes>"
        )
    )
    token = cas.jwt(cas.sign_in(server))
    assert token is not None
    me = ask(server.port, "/auth/me", headers=bearer(token)).json
    assert (me["username"], me["method"]) == ("admin", "cas")
    assert "secret-until" not in server.log(until="sign_in user=admin")


TICKETS = [
    ("none", None),
    ("empty", ""),
    ("a prefix alone", "ST-"),
    ("a proxy ticket", "PT-1-abc"),
    ("a proxy-granting ticket", "PGT-1-abc"),
    ("in lower case", "st-1-abc"),
    ("with a blank before it", " ST-1-abc"),
    ("with a line end", "ST-1-abc\n"),
    ("with a zero", "ST-1-abc\0"),
    ("with a slash", "ST-1/../abc"),
    ("with a parameter", "ST-1-abc&service=https://evil.example"),
    ("with an escape", "ST-1-%0d%0aHost:evil"),
    ("a fragment", "ST-1-abc#"),
    ("of 257 letters", "ST-" + "a" * 254),
    ("Cyrillic", "ST-1-\u0430bc"),
    ("Arabic digits", "ST-\u0661"),
]


@pytest.mark.parametrize("ticket", [row[1] for row in TICKETS], ids=[row[0] for row in TICKETS])
def test_a_ticket_of_wrong_shape_never_leaves_the_house(
    server: Server, provider: Scripted, ticket: str | None
) -> None:
    provider.asked.clear()
    provider.script = lambda _: success("admin")
    assert_refused(server, back(server, begin(server), ticket), 400, "ticket_invalid")
    assert provider.asked == []


def test_two_tickets_are_none(server: Server, provider: Scripted) -> None:
    provider.asked.clear()
    attempt = begin(server)
    query = f"attempt={attempt.id}&ticket={TICKET}&ticket={TICKET}"
    assert_refused(server, back(server, attempt, query=query), 400, "ticket_invalid")
    assert provider.asked == []


def sealed(attempt: cas.Attempt, *, age: int = 0, purpose: str = "attempt cas", key: str) -> str:
    """Seal what an attempt remembers, as the server itself would."""
    seals = EncryptedValues(key_ring.of(shared_secret.read(key)), clock=lambda: time.time() - age)
    text = seals.encrypt(f"{purpose} {attempt.id}", {"next": "/", "gateway": False})
    return f"{attempt.name}={text}"


def test_only_the_browser_that_began_finishes_and_only_in_time(
    server: Server, provider: Scripted
) -> None:
    provider.script = lambda _: success("admin")
    mine, other = begin(server), begin(server)
    value = other.cookie.partition("=")[2]
    swapped = f"{mine.name}={value}"
    cookies = {
        "no cookie": "",
        "the cookie of another attempt": other.cookie,
        "another attempt's value": swapped,
        "an empty value": f"{mine.name}=",
        "a value cut short": mine.cookie[:-4],
        "a value in quotes": f'{mine.name}="{mine.cookie.partition("=")[2]}"',
        "two of one name": f"{mine.cookie}; {mine.cookie}",
        "another's key": sealed(mine, key="x" * 40),
        "ten minutes ago": sealed(mine, age=602, key=SECRET),
        "from the future": sealed(mine, age=-3600, key=SECRET),
        "of another way in": sealed(mine, purpose="attempt oidc", key=SECRET),
        "of another kind": sealed(mine, purpose="returns", key=SECRET),
    }
    provider.asked.clear()
    for what, cookie in cookies.items():
        answer = back(server, mine, cookie=cookie)
        assert answer.status == 400, what
        assert_refused(server, answer, 400, "attempt_unknown")
        assert answer.all("Set-Cookie") == [], what
    assert provider.asked == []
    assert back(server, mine, cookie=sealed(mine, key=SECRET)).status == 302


@pytest.mark.parametrize(
    "query",
    [
        f"ticket={TICKET}",
        f"ticket={TICKET}&attempt=",
        f"ticket={TICKET}&attempt={{id}}&attempt={{id}}",
        f"ticket={TICKET}&attempt={{id}}x",
        f"ticket={TICKET}&attempt={quote('../../x' * 3, safe='')}a",
        f"ticket={TICKET}&attempt={'A' * 22}",
        "attempt=" + "A" * 22,
        f"ticket={TICKET}&attempt=%00",
    ],
)
def test_without_its_attempt_nobody_is_asked(
    server: Server, provider: Scripted, query: str
) -> None:
    provider.asked.clear()
    attempt = begin(server)
    answer = back(server, attempt, query=query.replace("{id}", attempt.id))
    assert_refused(server, answer, 400, "attempt_unknown")
    assert provider.asked == []


def test_an_attempt_is_over_after_it_was_used(server: Server, provider: Scripted) -> None:
    provider.script = lambda _: success("admin")
    attempt = begin(server)
    answer = back(server, attempt)
    cleared = [line for line in answer.all("Set-Cookie") if line.startswith(attempt.name)]
    assert cleared == [
        f"{attempt.name}=; HttpOnly; Secure; SameSite=Lax; Path=/auth/cas; Max-Age=0"
    ]
    provider.asked.clear()
    assert_refused(server, back(server, attempt, cookie=""), 400, "attempt_unknown")
    assert provider.asked == []


@pytest.mark.parametrize("reply", [failure("INVALID_TICKET"), (503, {}, b""), success("admin")])
def test_the_provider_is_asked_once_for_each_attempt(
    server: Server, provider: Scripted, reply: bytes | Reply
) -> None:
    provider.script = lambda _: reply
    attempt = begin(server)
    first = back(server, attempt)
    provider.asked.clear()
    again = [back(server, attempt) for _ in range(3)]
    assert [(each.status, each.code) for each in again] == [(400, "attempt_unknown")] * 3
    assert not provider.asked
    provider.script = lambda _: success("admin")
    assert first.status != 302 or reply == success("admin")
    assert back(server, begin(server)).status == 302  # beginning anew is what helps


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
def test_a_prefetch_begins_and_finishes_nothing(
    server: Server, provider: Scripted, header: str
) -> None:
    provider.script = lambda _: success("admin")
    provider.asked.clear()
    attempt = begin(server)
    headers = {header.replace("-", "_"): "prefetch"}
    assert_refused(server, back(server, attempt, **headers), 403, "prefetch_refused")
    answer = ask(server.port, "/auth/cas", headers={header: "prefetch"})
    assert_refused(server, answer, 403, "prefetch_refused")
    assert provider.asked == []
    assert back(server, attempt).status == 302


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Proto"])
def test_where_to_come_back_to_is_never_the_callers_word(server: Server, header: str) -> None:
    attempt = begin(server, "?next=https://evil.example", **{header: "evil.example"})
    assert attempt.service == f"{server.url}/auth/cas?attempt={attempt.id}"
    assert "evil" not in attempt.to


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_do_nothing(server: Server, method: str) -> None:
    answer = ask(server.port, "/auth/cas", method)
    assert answer.status == 405
    assert answer["Allow"] == "GET,POST"
