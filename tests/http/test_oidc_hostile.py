"""Hostile callbacks: each with its refusal, no session, no needless question, nothing secret."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import openid
from tests.support.client import BROWSER, Answer, ask
from tests.support.evil import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    Attempt,
    Evil,
    begin,
    key,
    running,
)
from tests.support.issuer import Signer
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

RSA, EC, TWICE_A, TWICE_B = key("rsa"), key("ec", "ES256"), key("twice"), key("twice")
WEAK = {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode(), "use": "sig"}
FOR_ENCRYPTION = {**key("enc").jwk, "use": "enc"}
TOKEN = ["/token"]
SCRIPT = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Site:
    """A server with two providers, the plain one and one called `other`."""

    server: Server
    evil: Evil
    other: Evil


@pytest.fixture(scope="module")
def site(start: Start) -> Iterator[Site]:
    with running(RSA, EC, TWICE_A, TWICE_B) as evil, running(key("other")) as other:
        evil.extra_keys = [WEAK, FOR_ENCRYPTION, {"kty": "from-the-future"}]
        other.documents["authorization_response_iss_parameter_supported"] = True
        server = start(
            OIDC_ISSUER=evil.url,
            OIDC_CLIENT_ID=CLIENT_ID,
            OIDC_CLIENT_SECRET=CLIENT_SECRET,
            OIDC_PROVIDERS="other",
            OIDC_OTHER_ISSUER=other.url,
            OIDC_OTHER_CLIENT_ID=CLIENT_ID,
        )
        for provider in ("oidc", "other"):
            openid.link(server, "user", "subject-of-user", provider)
        attempt = begin(server.port)
        evil.answers(RSA.sign(evil.claims(attempt)))
        assert attempt.come_back(attempt.good()).status == 302
        begin(server.port, "/auth/oidc/other")
        yield Site(server, evil, other)


@pytest.fixture(autouse=True)
def quiet(site: Site) -> None:
    """Let both providers be good again, and forget what they were asked."""
    for evil in (site.evil, site.other):
        evil.replies.clear()
        evil.paths()


def sign(evil: Evil, attempt: Attempt, signer: Signer = RSA, **changes: Any) -> str:
    """Return a good ID token, changed."""
    return signer.sign(evil.claims(attempt, **changes))


def assert_refused(site: Site, answer: Answer, status: int, code: str, attempt: Attempt) -> None:
    """Check a refusal: no session, and none of the secrets of the attempt said or logged."""
    assert (answer.status, answer.code) == (status, code), answer.text
    assert not any(line.startswith("jwt=") for line in answer.all("Set-Cookie"))
    log = site.server.log(until=answer["X-Request-ID"])
    secrets = [
        *attempt.cookies.values(),
        attempt.question["nonce"],
        "the-code-that-nobody-logs",
        ACCESS_TOKEN,
        CLIENT_SECRET,
        "eyJ",
        SCRIPT,
    ]
    for secret in secrets:
        assert secret not in log
        assert secret not in answer.text
    assert "Traceback" not in log
    assert "status=500" not in log


def reasons(site: Site, answer: Answer) -> list[str]:
    """Return the reasons that the log gives for a request."""
    lines = site.server.log(until=answer["X-Request-ID"]).splitlines()
    mine = [line for line in lines if answer["X-Request-ID"] in line and "openid_" in line]
    return [line.partition("reason=")[2].partition(" ")[0] for line in mine if "reason=" in line]


# --- What the browser brings ---------------------------------------------------------------------

Query = Callable[[Attempt], Any]
UNKNOWN: tuple[int, str, list[str]] = (400, "attempt_unknown", [])
REFUSED = (401, "sign_in_refused")

FROM_THE_BROWSER: dict[str, tuple[Query, tuple[int, str, list[str]]]] = {
    "no state": (lambda a: a.good(state=""), UNKNOWN),
    "an empty state": (lambda a: {**a.good(), "state": ""}, UNKNOWN),
    "another state": (lambda a: a.good(state="A" * 22), UNKNOWN),
    "a state of one letter more": (lambda a: a.good(state=a.question["state"] + "A"), UNKNOWN),
    "a state with a path in it": (lambda a: a.good(state="../" + a.question["state"]), UNKNOWN),
    "a state of 100,000 letters": (lambda a: a.good(state="A" * 6000), UNKNOWN),
    "a state that is no ASCII": (lambda a: a.good(state="é" * 22), UNKNOWN),
    "two states": (lambda a: [*a.good().items(), ("state", a.question["state"])], UNKNOWN),
    "no code": (lambda a: a.good(code=""), (*REFUSED, ["code_missing"])),
    "an empty code": (lambda a: {**a.good(), "code": ""}, (*REFUSED, ["code_missing"])),
    "two codes": (lambda a: [*a.good().items(), ("code", "x")], (*REFUSED, ["parameter_twice"])),
    "a code with a line end": (lambda a: a.good(code="a\r\nb"), (*REFUSED, ["code_form"])),
    "a code that is no ASCII": (lambda a: a.good(code="cödé"), (*REFUSED, ["code_form"])),
    "a code of 5,000 letters": (lambda a: a.good(code="c" * 5000), (*REFUSED, ["code_too_long"])),
    "error and code": (lambda a: a.good(error="access_denied"), (*REFUSED, ["error_and_code"])),
    "two errors": (
        lambda a: [*a.good(code="").items(), ("error", "a"), ("error", "b")],
        (*REFUSED, ["parameter_twice"]),
    ),
    "an ID token in the address": (
        lambda a: a.good(id_token="eyJhbGciOiJub25lIn0.e30."),
        (*REFUSED, ["response_mode"]),
    ),
    "an access token in the address": (
        lambda a: a.good(code="", access_token=ACCESS_TOKEN),
        (*REFUSED, ["response_mode"]),
    ),
    "a signed response": (lambda a: a.good(response="eyJ.e.e"), (*REFUSED, ["response_mode"])),
    "another issuer": (
        lambda a: a.good(iss="https://evil.example"),
        (*REFUSED, ["issuer_mixed_up"]),
    ),
    "two issuers": (
        lambda a: [*a.good(iss="a").items(), ("iss", "b")],
        (*REFUSED, ["parameter_twice"]),
    ),
    "access denied": (lambda a: a.good(code="", error="access_denied"), (*REFUSED, [])),
    "an error with a script": (
        lambda a: a.good(code="", error=SCRIPT, error_description=SCRIPT, error_uri="javascript:0"),
        (*REFUSED, []),
    ),
    "an error with a script in its description": (
        lambda a: a.good(code="", error="login_required", error_description=SCRIPT),
        (*REFUSED, []),
    ),
    "the provider is busy": (
        lambda a: a.good(code="", error="temporarily_unavailable"),
        (503, "provider_unavailable", []),
    ),
}


@pytest.mark.parametrize("name", FROM_THE_BROWSER)
def test_what_a_browser_brings_is_refused_without_asking_anybody(site: Site, name: str) -> None:
    query, (status, code, why) = FROM_THE_BROWSER[name]
    attempt = begin(site.server.port)
    answer = attempt.come_back(query(attempt))
    assert_refused(site, answer, status, code, attempt)
    assert reasons(site, answer) == why
    assert site.evil.paths() == []
    page = begin(site.server.port).come_back(query(attempt), **BROWSER)
    assert SCRIPT not in page.text
    assert 'href="/auth/oidc?next=' in page.text


def test_the_callback_of_another_browser_is_refused(site: Site) -> None:
    victim, attacker = begin(site.server.port), begin(site.server.port)
    answer = victim.come_back(attacker.good())
    assert_refused(site, answer, 400, "attempt_unknown", attacker)
    assert site.evil.paths() == []


def test_a_cookie_under_the_name_of_another_attempt_is_refused(site: Site) -> None:
    mine, other = begin(site.server.port), begin(site.server.port)
    ((name, _),), ((_, value),) = mine.cookies.items(), other.cookies.items()
    answer = mine.come_back(mine.good(), Cookie=f"{name}={value}")
    assert_refused(site, answer, 400, "attempt_unknown", mine)


@pytest.mark.parametrize("spoil", [str.lower, lambda value: value[:-4] + "AAAA", lambda _: ""])
def test_a_cookie_that_was_changed_is_refused(site: Site, spoil: Callable[[str], str]) -> None:
    attempt = begin(site.server.port)
    ((name, value),) = attempt.cookies.items()
    answer = attempt.come_back(attempt.good(), Cookie=f"{name}={spoil(value)}")
    assert_refused(site, answer, 400, "attempt_unknown", attempt)


def test_two_cookies_of_one_attempt_are_refused(site: Site) -> None:
    attempt = begin(site.server.port)
    ((name, value),) = attempt.cookies.items()
    answer = attempt.come_back(attempt.good(), Cookie=f"{name}={value}; {name}={value}")
    assert_refused(site, answer, 400, "attempt_unknown", attempt)


def test_an_answer_counts_once_and_the_code_is_not_tried_again(site: Site) -> None:
    attempt = begin(site.server.port)
    site.evil.answers(sign(site.evil, attempt))
    first = attempt.come_back(attempt.good())
    assert first.status == 302
    assert site.evil.paths() == TOKEN
    again = attempt.come_back(attempt.good())
    assert_refused(site, again, *REFUSED, attempt)
    assert reasons(site, again) == ["state_used"]
    assert site.evil.paths() == []


def test_a_code_that_failed_is_not_tried_again(site: Site) -> None:
    attempt = begin(site.server.port)
    site.evil.replies["/token"] = lambda _: (503, b"")
    assert attempt.come_back(attempt.good()).code == "provider_unavailable"
    again = attempt.come_back(attempt.good())
    assert reasons(site, again) == ["state_used"]
    assert site.evil.paths() == TOKEN


def test_an_answer_is_only_taken_by_get(site: Site) -> None:
    attempt = begin(site.server.port)
    answer = ask(
        site.server.port,
        attempt.callback,
        "POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=f"code=x&state={attempt.question['state']}".encode(),
    )
    assert answer.code == "method_not_allowed"
    assert ask(site.server.port, attempt.callback, "HEAD").status == 405
    assert site.evil.paths() == []


# --- Two providers: whose answer is it? ----------------------------------------------------------


def test_an_answer_of_another_provider_is_refused(site: Site) -> None:
    attempt = begin(site.server.port, "/auth/oidc/other")
    attempt.callback = "/auth/oidc/callback"
    answer = attempt.come_back(attempt.good(iss=site.evil.url))
    assert_refused(site, answer, *REFUSED, attempt)
    assert reasons(site, answer) == ["issuer_mixed_up"]
    assert site.evil.paths() == site.other.paths() == []


@pytest.mark.parametrize(
    ("iss", "why"), [("", "issuer_missing"), ("plain", "issuer_mixed_up"), ("/", "issuer_mixed_up")]
)
def test_a_provider_that_names_itself_has_to(site: Site, iss: str, why: str) -> None:
    attempt = begin(site.server.port, "/auth/oidc/other")
    named = {"plain": site.evil.url, "/": f"{site.other.url}/", "": ""}[iss]
    answer = attempt.come_back(attempt.good(iss=named))
    assert_refused(site, answer, *REFUSED, attempt)
    assert reasons(site, answer) == [why]
    assert site.other.paths() == []


def test_a_provider_that_is_not_on_does_not_exist(site: Site) -> None:
    for path in ("/auth/oidc/nobody", "/auth/oidc/nobody/callback", "/auth/oidc/OTHER"):
        assert ask(site.server.port, path).code == "provider_unknown"
