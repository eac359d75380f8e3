"""A CAS server that is not there, hangs, or has no TLS that can be trusted."""

import socket
import ssl
import threading

import pytest

from tests.http.test_cas_hostile import UNAVAILABLE, assert_refused
from tests.support import cas, sso
from tests.support.cas import back, begin, success
from tests.support.client import Answer, ask, bearer
from tests.support.environment import free_port
from tests.support.keyfiles import within
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Authority

STORES = ("sqlite",)  # no store has a part in this


def refused_by(start: Start, url: str, **settings: str) -> tuple[Server, Answer]:
    server = start(CAS_URL=url, CAS_TRUST_USERNAMES="true", **settings)
    return server, back(server, begin(server))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return sso.make_authority(tmp_path_factory.mktemp("authority"))


def test_a_provider_that_nobody_vouches_for_is_not_asked(
    start: Start, authority: Authority
) -> None:
    with sso.scripted(lambda _: success("admin"), authority.server_context()) as provider:
        url = provider.url.replace("http:", "https:")
        server, answer = refused_by(start, url)
        assert_refused(server, answer, 503, UNAVAILABLE)
        assert "certificate" in server.log()
        assert "does not trust the certificate" in answer.json["detail"]
        other = url.replace("localhost", "127.0.0.2")
        server, answer = refused_by(start, other, SSL_CERT_FILE=str(authority.ca))
        assert_refused(server, answer, 503, UNAVAILABLE)
        assert provider.asked == []
        server = start(CAS_URL=url, CAS_TRUST_USERNAMES="true", SSL_CERT_FILE=str(authority.ca))
        assert cas.jwt(cas.sign_in(server)) is not None


def test_old_tls_is_not_spoken(start: Start, authority: Authority) -> None:
    context = authority.server_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with sso.scripted(lambda _: success("admin"), context) as provider:
        url = provider.url.replace("http:", "https:")
        server, answer = refused_by(start, url, SSL_CERT_FILE=str(authority.ca))
        assert_refused(server, answer, 503, UNAVAILABLE)
        assert provider.asked == []


def test_a_provider_that_is_not_there_leaves_all_else_as_it_is(start: Start) -> None:
    server, answer = refused_by(start, f"http://localhost:{free_port()}")
    assert_refused(server, answer, 503, UNAVAILABLE)
    assert answer["Retry-After"] == "5"
    page = back(server, begin(server, "?next=/auth/me"), **cas.PAGE)
    assert 'href="/auth/cas?next=%2Fauth%2Fme">Try again</a>' in page.text
    assert 'href="/auth/login?next=%2Fauth%2Fme">Other ways to sign in</a>' in page.text
    token = ask(server.port, "/auth/bypass?token=admin").token
    assert ask(server.port, "/auth/me", headers=bearer(token)).status == 200
    assert ask(server.port, "/readyz").status == 200


def test_what_is_not_http_cannot_be_read(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            connection, _ = listening.accept()
            connection.recv(4096)
            connection.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.close()

        thread = threading.Thread(target=speak)
        thread.start()
        server, answer = refused_by(start, f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
    assert_refused(server, answer, 502, "provider_answer_invalid")


def test_a_provider_that_hangs_or_drips_is_left_after_ten_seconds_and_holds_nobody_up(
    start: Start,
) -> None:
    over = threading.Event()

    def hang(asked: Asked) -> bytes:
        if "hang" in asked.query["ticket"][0]:
            over.wait(30)
        return success("user")

    with sso.scripted(hang) as provider:
        server = start(CAS_URL=provider.url, CAS_TRUST_USERNAMES="true")
        answers: list[Answer] = []
        attempts = [begin(server) for _ in range(25)]
        threads = [
            threading.Thread(
                target=lambda attempt=attempt: answers.append(back(server, attempt, "ST-1-hang"))
            )
            for attempt in attempts
        ]
        for thread in threads:
            thread.start()
        within(5, lambda: len(provider.asked) >= 20)
        assert len(provider.asked) == 20  # the others wait for a place
        token = ask(server.port, "/auth/bypass?token=admin").token
        assert ask(server.port, "/auth/me", headers=bearer(token)).status == 200
        assert answers == []
        for thread in threads:
            thread.join()
        assert {answer.code for answer in answers} == {UNAVAILABLE}
        assert "no answer in time" in server.log()
        assert cas.jwt(cas.sign_in(server)) is not None
        over.set()
