"""Attempts to sign in by CAS: several tabs, several replicas, browsers in circles."""

from tests.support.cas import back, begin, fresh, jwt
from tests.support.cas_sign_in import link, provider, server
from tests.support.client import ask
from tests.support.environment import STRONG
from tests.support.servers import Server, Start

__all__ = ["provider", "server"]


def test_two_tabs_do_not_hurt_each_other(server: Server) -> None:
    link(server, "user", "tabs")
    one, two = begin(server, "?next=/one"), begin(server, "?next=/two")
    both = f"{one.cookie}; {two.cookie}"
    second = back(server, two, fresh("ST-tabs"), cookie=both)
    assert second["Location"] == "/two"
    assert f"{two.name}=;" in second.all("Set-Cookie")[2]
    assert back(server, one, fresh("ST-tabs"), cookie=both)["Location"] == "/one"


def test_a_browser_keeps_five_attempts(server: Server) -> None:
    jar = [begin(server).cookie for _ in range(7)]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": "; ".join(jar)})
    newest, *ended = answer.all("Set-Cookie")
    assert "Max-Age=600" in newest
    oldest = [line.partition("=")[0] for line in jar[:3]]
    assert sorted(line.partition("=")[0] for line in ended) == sorted(oldest)
    assert all("Max-Age=0" in line for line in ended)


def test_of_very_many_attempts_an_answer_forgets_some_of_the_oldest(server: Server) -> None:
    jar = [f"latchkey_cas_{number:022}=" for number in range(200)]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": "; ".join(jar)})
    assert answer.status == 302
    ended = [line.partition("=")[0] + "=" for line in answer.all("Set-Cookie")[1:]]
    assert sorted(ended) == jar[:32]


def test_attempts_with_long_addresses_leave_room_in_the_header(server: Server) -> None:
    link(server, "user", "long")
    session = f"jwt={'x' * 3500}"
    jar: dict[str, str] = {}
    for _ in range(7):
        sent = "; ".join([session, *(f"{name}={value}" for name, value in jar.items())])
        path = f"/auth/cas?next=/{'a' * 2000}"
        answer = ask(server.port, path, headers={"Cookie": sent})
        assert answer.status == 302, answer.text
        for line in answer.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar.pop(name, None)
            if value:
                jar[name] = value
    sent = "; ".join(f"{name}={value}" for name, value in jar.items())
    newest = [name for name in jar if name.startswith("latchkey_cas_")][-1]
    path = f"/auth/cas?ticket=ST-long&attempt={newest.removeprefix('latchkey_cas_')}"
    done = ask(server.port, path, headers={"Cookie": f"{session}; {sent}"})
    assert (done.status, len(done["Location"])) == (302, 2001)


def test_a_browser_in_circles_gets_a_page_and_no_fourth_redirect(server: Server) -> None:
    link(server, "user", "circles")
    returns = ""
    for _ in range(3):
        attempt = begin(server, Cookie=returns)
        answer = back(server, attempt, fresh("ST-circles"), cookie=f"{attempt.cookie}; {returns}")
        returns = answer.all("Set-Cookie")[1].partition(";")[0]
        session = answer.all("Set-Cookie")[0].partition(";")[0]
    answer = ask(server.port, "/auth/cas", headers={"Cookie": returns})
    assert (answer.status, answer.code) == (400, "cookie_not_kept")
    for reason in ("Safari", "HTTP", "COOKIE_DOMAIN", "parent domains"):
        assert reason in answer.json["detail"]
    twice = f"{returns}; {session}; {session}"
    assert ask(server.port, "/auth/cas", headers={"Cookie": twice}).code == "cookie_not_kept"
    kept = ask(server.port, "/auth/cas", headers={"Cookie": f"{returns}; {session}"})
    assert kept.status == 302
    for forged in ("latchkey_returns=x", f"{returns}; {returns}", f"{returns}x"):
        assert ask(server.port, "/auth/cas", headers={"Cookie": forged}).status == 302
    out = ask(server.port, "/auth/logout", headers={"Cookie": f"{returns}; {session}"})
    assert any(line.startswith("latchkey_returns=;") for line in out.all("Set-Cookie"))


def test_another_replica_and_a_new_key_finish_what_was_begun(start: Start, server: Server) -> None:
    link(server, "user", "replicas")
    attempt = begin(server)
    new = start(beside=server, JWT_SECRET_KEY=STRONG, JWT_SECRET_KEY_PREVIOUS=_secret(server))
    assert jwt(back(new, attempt, "ST-replicas")) is not None
    stranger = start(beside=server, JWT_SECRET_KEY=STRONG)
    assert back(stranger, attempt, "ST-replicas").code == "attempt_unknown"


def _secret(server: Server) -> str:
    lines = (server.folder / ".env").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("JWT_SECRET_KEY="))
