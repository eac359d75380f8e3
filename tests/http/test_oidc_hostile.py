"""Hostile callbacks: each with its refusal, no session, no needless question, nothing secret."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
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
    half_hash,
    key,
    running,
    unsigned,
)
from tests.support.issuer import Signer, compact
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

RSA, EC, TWICE_A, TWICE_B = key("rsa"), key("ec", "ES256"), key("twice"), key("twice")
STRANGER = key("rsa")
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


def hs256(claims: dict[str, Any], secret: bytes, **header: str) -> str:
    """Return a token signed with a secret."""
    return compact(
        {"alg": "HS256", "typ": "JWT", **header},
        claims,
        lambda text: hmac.new(secret, text, sha256).digest(),
    )


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
    "an empty code": (lambda a: {**a.good(), "code": ""}, (*REFUSED, ["code_form"])),
    "two codes": (lambda a: [*a.good().items(), ("code", "x")], (*REFUSED, ["parameter_twice"])),
    "a code with a line end": (lambda a: a.good(code="a\r\nb"), (*REFUSED, ["code_form"])),
    "a code that is no ASCII": (lambda a: a.good(code="cödé"), (*REFUSED, ["code_form"])),
    "a code of 5,000 letters": (lambda a: a.good(code="c" * 5000), (*REFUSED, ["code_form"])),
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


# --- What the provider brings --------------------------------------------------------------------

Tokens = Callable[[Evil, Attempt], Any]
USED = (*REFUSED, TOKEN)
UNUSABLE = (502, "provider_answer_invalid", TOKEN)
NOW = 1 << 40


def respelt(token: str, **changes: str) -> str:
    """Return a token with other claims under its signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    spelt = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode())
    return ".".join((header, spelt.rstrip(b"=").decode(), signature))


def sign_bytes(payload: bytes) -> str:
    """Return a well-signed token with any payload."""
    return jwt.api_jws.encode(payload, RSA.private, "RS256", headers={"kid": "rsa"})


def twice(evil: Evil, attempt: Attempt) -> str:
    """Return a well-signed token that names two subjects."""
    text = json.dumps(evil.claims(attempt))
    return sign_bytes(text.replace("{", '{"sub": "subject-of-admin", ', 1).encode())


FROM_THE_PROVIDER: dict[str, tuple[Tokens, tuple[int, str, list[str]], str]] = {
    "no nonce": (lambda e, a: sign(e, a, nonce=None), USED, "nonce"),
    "another nonce": (lambda e, a: sign(e, a, nonce="n" * 43), USED, "nonce"),
    "a nonce of another type": (
        lambda e, a: sign(e, a, nonce=[a.question["nonce"]]),
        USED,
        "nonce",
    ),
    "another issuer": (lambda e, a: sign(e, a, iss="https://evil.example"), USED, "iss"),
    "an issuer with a slash more": (lambda e, a: sign(e, a, iss=e.url + "/"), USED, "iss"),
    "no issuer": (lambda e, a: sign(e, a, iss=None), USED, "iss"),
    "another audience": (lambda e, a: sign(e, a, aud="another client"), USED, "aud"),
    "no audience": (lambda e, a: sign(e, a, aud=None), USED, "aud"),
    "an empty audience": (lambda e, a: sign(e, a, aud=[]), USED, "aud"),
    "an audience that is a number": (lambda e, a: sign(e, a, aud=[CLIENT_ID, 7]), USED, "aud"),
    "two audiences and no azp": (lambda e, a: sign(e, a, aud=[CLIENT_ID, "b"]), USED, "azp"),
    "another azp": (lambda e, a: sign(e, a, azp="another client"), USED, "azp"),
    "no subject": (lambda e, a: sign(e, a, sub=None), USED, "sub"),
    "an empty subject": (lambda e, a: sign(e, a, sub=""), USED, "sub"),
    "a subject that is a number": (lambda e, a: sign(e, a, sub=1), USED, "sub"),
    "a subject of 256 letters": (lambda e, a: sign(e, a, sub="s" * 256), USED, "sub"),
    "a subject with a line end": (lambda e, a: sign(e, a, sub="user\n"), USED, "sub"),
    "expired": (lambda e, a: sign(e, a, exp=1_700_000_000), USED, "exp"),
    "no exp": (lambda e, a: sign(e, a, exp=None), USED, "exp"),
    "an exp that is a text": (lambda e, a: sign(e, a, exp="9999999999"), USED, "exp"),
    "an exp that is true": (lambda e, a: sign(e, a, exp=True), USED, "exp"),
    "no iat": (lambda e, a: sign(e, a, iat=None), USED, "iat"),
    "issued in the future": (lambda e, a: sign(e, a, iat=NOW, exp=NOW + 9), USED, "iat"),
    "issued long ago": (lambda e, a: sign(e, a, iat=1_700_000_000), USED, "iat"),
    "not yet valid": (lambda e, a: sign(e, a, nbf=NOW), USED, "nbf"),
    "at_hash of another token": (
        lambda e, a: sign(e, a, at_hash=half_hash("another", "RS256")),
        USED,
        "at_hash",
    ),
    "at_hash that is a number": (lambda e, a: sign(e, a, at_hash=1), USED, "at_hash"),
    "alg none": (lambda e, a: unsigned(e.claims(a)), UNUSABLE, "token_form"),
    "alg none with a signature": (
        lambda e, a: compact({"alg": "none"}, e.claims(a), lambda _: b"x"),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by the client's secret": (
        lambda e, a: hs256(e.claims(a), CLIENT_SECRET.encode()),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by the public key": (
        lambda e, a: hs256(e.claims(a), RSA.pem, kid="rsa"),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by a key of the set": (
        lambda e, a: hs256(e.claims(a), b"k" * 32, kid="oct"),
        UNUSABLE,
        "algorithm",
    ),
    "an algorithm of the key's, not the key's own": (
        lambda e, a: Signer("rsa", "PS256", RSA.private).sign(e.claims(a)),
        UNUSABLE,
        "key_unknown",
    ),
    "an unknown kid": (
        lambda e, a: Signer("nobody", "RS256", RSA.private).sign(e.claims(a)),
        UNUSABLE,
        "key_unknown",
    ),
    "a kid that two keys have": (lambda e, a: sign(e, a, TWICE_A), UNUSABLE, "key_ambiguous"),
    "no kid, and several keys": (
        lambda e, a: compact(
            {"alg": "RS256", "typ": "JWT"}, e.claims(a), lambda text: b"x" * 256 + text[:0]
        ),
        UNUSABLE,
        "key_ambiguous",
    ),
    "a kid that is a number": (
        lambda e, a: compact({"alg": "RS256", "kid": 1}, e.claims(a), lambda _: b"x"),
        UNUSABLE,
        "header",
    ),
    "a key that is for encryption": (
        lambda e, a: sign(e, a, Signer("enc", "RS256", RSA.private)),
        UNUSABLE,
        "key_unknown",
    ),
    "signed by a stranger": (lambda e, a: sign(e, a, STRANGER), UNUSABLE, "signature"),
    "signed by a key in its own header": (
        lambda e, a: STRANGER.sign(e.claims(a), jwk=STRANGER.jwk),
        UNUSABLE,
        "signature",
    ),
    "signed by a key elsewhere": (
        lambda e, a: STRANGER.sign(e.claims(a), jku="http://127.0.0.1:9/jwks"),
        UNUSABLE,
        "signature",
    ),
    "a signature cut short": (lambda e, a: sign(e, a)[:-8], UNUSABLE, "signature"),
    "another payload under the signature": (
        lambda e, a: respelt(sign(e, a), sub="subject-of-admin"),
        UNUSABLE,
        "signature",
    ),
    "critical headers": (
        lambda e, a: RSA.sign(e.claims(a), crit=["b64"], b64=True),
        UNUSABLE,
        "header",
    ),
    "encrypted": (lambda *_: "eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ", UNUSABLE, "encrypted"),
    "a logout token": (
        lambda e, a: RSA.sign(e.claims(a), typ="logout+jwt"),
        UNUSABLE,
        "token_type",
    ),
    "an access token": (lambda e, a: RSA.sign(e.claims(a), typ="at+jwt"), UNUSABLE, "token_type"),
    "no token at all": (lambda *_: "", UNUSABLE, "token_form"),
    "a token of 20,000 letters": (
        lambda e, a: sign(e, a, filler="f" * 20_000),
        UNUSABLE,
        "token_form",
    ),
    "claims that are a list": (lambda *_: sign_bytes(b"[]"), UNUSABLE, "token_form"),
    "claims of two subjects": (twice, UNUSABLE, "token_form"),
}


@pytest.mark.parametrize("name", FROM_THE_PROVIDER)
def test_an_id_token_is_refused(site: Site, name: str) -> None:
    make, (status, code, asked), why = FROM_THE_PROVIDER[name]
    attempt = begin(site.server.port)
    site.evil.answers(make(site.evil, attempt))
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, status, code, attempt)
    assert reasons(site, answer) == [why]
    paths = site.evil.paths()
    if why == "key_unknown" and "/jwks" in paths:  # looked up anew, once a minute
        paths.remove("/jwks")
    assert paths == asked


def test_there_are_forty_and_more() -> None:
    assert len(FROM_THE_BROWSER) + len(FROM_THE_PROVIDER) > 60


ANSWERS: dict[str, tuple[tuple[int, bytes], int, str, str]] = {
    "the code is not taken": ((400, b'{"error":"invalid_grant"}'), *REFUSED, "token_refused"),
    "the client is not taken": ((401, b"{}"), *REFUSED, "token_refused"),
    "a redirect": ((302, b""), *REFUSED, "token_refused"),
    "no JSON": ((200, b"<html>"), 502, "provider_answer_invalid", "token_answer"),
    "a list": ((200, b"[]"), 502, "provider_answer_invalid", "token_answer"),
    "two ID tokens": (
        (200, b'{"id_token":"a","id_token":"b"}'),
        502,
        "provider_answer_invalid",
        "token_answer",
    ),
    "no ID token": (
        (200, b'{"access_token":"a"}'),
        502,
        "provider_answer_invalid",
        "id_token_missing",
    ),
    "an ID token that is a number": (
        (200, b'{"id_token":1}'),
        502,
        "provider_answer_invalid",
        "id_token_missing",
    ),
    "another type of token": (
        (200, b'{"id_token":"a.b.c","token_type":"mac"}'),
        502,
        "provider_answer_invalid",
        "token_answer",
    ),
    "nested without end": ((200, b"[" * 50_000), 502, "provider_answer_invalid", "token_answer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_the_token_endpoint_is_refused(site: Site, name: str) -> None:
    reply, status, code, why = ANSWERS[name]
    attempt = begin(site.server.port)
    site.evil.replies["/token"] = lambda _: reply
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, status, code, attempt)
    assert reasons(site, answer) == [why]
    assert site.evil.paths() == TOKEN


@pytest.mark.parametrize("reply", [(500, b"{}"), (429, b"{}"), (200, b" " * 70_000)])
def test_a_token_endpoint_in_trouble_is_no_answer(site: Site, reply: tuple[int, bytes]) -> None:
    attempt = begin(site.server.port)
    site.evil.replies["/token"] = lambda _: reply
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, 503, "provider_unavailable", attempt)
    assert answer["Retry-After"] == "5"
    assert site.evil.paths() == TOKEN
