"""A provider that rejects this service, for everyone: trying again does not help."""

import pytest

from tests.http.test_provider_answers import refusals
from tests.support import cas, sso
from tests.support.cas import back, failure
from tests.support.client import BROWSER
from tests.support.evil import Evil, begin
from tests.support.openid_sign_in import RSA, evil, quiet, server
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]

STORES = ("sqlite",)  # no store has a part in this
NEVER = "The provider rejects the sign-in requests of this service. Trying again does not help"
EXPIRED = "was already used, has expired"
UNKNOWN = "The provider rejected the sign-in request. Start the sign-in again."


@pytest.mark.parametrize(
    ("status", "body", "text", "error"),
    [
        (401, b'{"error": "invalid_client"}', NEVER, "invalid_client"),
        (400, b'{"error": "invalid_client", "error_description": "expired"}', NEVER,
         "invalid_client"),
        (400, b'{"error": "unauthorized_client"}', NEVER, "unauthorized_client"),
        (400, b'{"error": "unsupported_grant_type"}', NEVER, "unsupported_grant_type"),
        (400, b'{"error": "invalid_scope"}', NEVER, "invalid_scope"),
        (400, b'{"error": "invalid_request"}', NEVER, "invalid_request"),
        (200, b'{"error": "invalid_client"}', NEVER, "invalid_client"),
        (401, b"", NEVER, "unreadable"),
        (403, b"", NEVER, "unreadable"),
        (401, b"<html>", NEVER, "unreadable"),
        (403, b"{}", NEVER, "other"),
        (401, b'{"error": "AADSTS7000222"}', NEVER, "AADSTS7000222"),
        (400, b'{"error": "invalid_grant"}', EXPIRED, "invalid_grant"),
        (401, b'{"error": "invalid_grant"}', EXPIRED, "invalid_grant"),
        (200, b'{"error": "invalid_grant", "id_token": null}', EXPIRED, "invalid_grant"),
        (400, b"", UNKNOWN, "unreadable"),
        (400, b'{"error": "mfa_required"}', UNKNOWN, "mfa_required"),
        (400, b'{"error": "invalid_grant", "error": "invalid_client"}', UNKNOWN, "other"),
        (200, b'{"error": {"code": 5}}', UNKNOWN, "other"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_error_of_the_token_endpoint_is_told_as_what_it_is(
    server: Server, evil: Evil, status: int, body: bytes, text: str, error: str
) -> None:
    evil.replies["/token"] = lambda _: (status, body)
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert text in answer.json["detail"]
    log = refusals(server, answer)
    assert "openid_rejected provider=oidc reason=token_refused" in log
    assert f"error={error}" in log
    attempt = begin(server.port)
    assert text in attempt.come_back(attempt.good(), **BROWSER).text


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
def test_a_token_endpoint_that_is_busy_is_told_so(
    server: Server, evil: Evil, status: int, error: str
) -> None:
    evil.replies["/token"] = lambda _: (status, {"error": error})
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (503, "provider_unavailable")
    assert answer["Retry-After"] == "5"
    assert answer.json["detail"].startswith("The provider responded")
    assert f"error={error}" in refusals(server, answer)


@pytest.mark.parametrize("error", ["", None, "odd"])
def test_an_error_beside_an_id_token_is_not_judged(
    server: Server, evil: Evil, error: str | None
) -> None:
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt)), error=error)
    assert attempt.come_back(attempt.good()).status == 302


@pytest.mark.parametrize("error", ["", None])
def test_an_empty_error_alone_is_no_error(server: Server, evil: Evil, error: str | None) -> None:
    evil.replies["/token"] = lambda _: (200, {"error": error})
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (502, "provider_answer_invalid")
    assert "reason=id_token_missing" in refusals(server, answer)


@pytest.mark.parametrize(
    "error",
    ["invalid_client", "unauthorized_client", "invalid_request_object", "invalid_redirect_uri"],
)
def test_an_error_in_the_callback_about_this_service_is_told_so(server: Server, error: str) -> None:
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good(code="", error=error))
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert NEVER in answer.json["detail"]


@pytest.mark.parametrize("name", ["error", "iss", "error_description", "id_token", "response"])
def test_an_empty_parameter_is_an_absent_one(server: Server, evil: Evil, name: str) -> None:
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt)))
    answer = attempt.come_back([*attempt.good().items(), (name, "")])
    assert answer.status == 302, answer.text
    attempt = begin(server.port)
    query = [*attempt.good(code="").items(), ("code", ""), ("error", "access_denied"), (name, "")]
    answer = attempt.come_back(query)
    assert answer.json["detail"].startswith("The provider denied access")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("UNAUTHORIZED_SERVICE", NEVER),
        ("INVALID_SERVICE", NEVER),
        ("UNAUTHORIZED_SERVICE_PROXY", NEVER),
        ("INVALID_REQUEST", NEVER),
        ("INVALID_TICKET", EXPIRED),
        ("INVALID_TICKET_SPEC", EXPIRED),
        ("SOMETHING", EXPIRED),
    ],
)
def test_a_cas_server_that_rejects_this_service_is_told_so(
    start: Start, code: str, text: str
) -> None:
    with sso.scripted(lambda _: failure(code)) as provider:
        server = start(CAS_URL=provider.url)
        answer = back(server, cas.begin(server))
        assert (answer.status, answer.code) == (401, "sign_in_refused")
        assert text in answer.json["detail"]
        assert code in server.log(until=answer["X-Request-ID"])


def many_headers(count: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, {f"X-{number}": "x" for number in range(count)}, body


def test_too_many_headers_are_named_as_the_limit(start: Start) -> None:
    replies = {"many": many_headers(200, cas.success("user")), "some": many_headers(90, b"")}
    with sso.scripted(lambda _: replies["many"]) as provider:
        server = start(CAS_URL=provider.url, CAS_TRUST_USERNAMES="true")
        answer = back(server, cas.begin(server))
        assert (answer.status, answer.code) == (502, "provider_answer_invalid")
        assert "128 headers" in answer.json["detail"]
        assert "128 headers" in server.log(until=answer["X-Request-ID"])
        provider.script = lambda _: many_headers(90, cas.success("user"))
        assert cas.jwt(cas.sign_in(server)) is not None
