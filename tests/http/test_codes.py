"""One-time codes at the sign-in of programs, and the calls to set them up."""

import re
from collections.abc import Iterator
from itertools import count

import pytest

from service import db
from tests.support.client import Answer, ask, bearer, sign_in
from tests.support.codes import (
    API,
    App,
    aged,
    call,
    forget_used,
    password_token,
    prolong_delays,
    set_up,
    start,
)
from tests.support.passwords import (
    RIGHT,
    by_json,
    device,
    give_password,
    quick_hashes,
    session_token,
)
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

CONFIRM = f"{API}/confirm"


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server on which admin, user and contributor have a password."""
    server = running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")
    for username in ("admin", "user", "contributor"):
        give_password(server, username)
    return server


@pytest.fixture
def app(site: Server) -> Iterator[App]:
    """Yield the app of admin, whose codes are set up and unused."""
    token = sign_in(site.port, "admin")
    app = set_up(site.port, token)
    forget_used(site)
    yield app
    assert site.cli("user", "totp-reset", "admin").returncode == 0
    site.cli("limits", "clear", "admin")


_networks = count()


def enter(site: Server, otp: object = None, password: str = RIGHT, **headers: str) -> Answer:
    """Sign in as admin from a network that no test has used."""
    number = next(_networks)
    address = {"X-Forwarded-For": f"10.{number // 256}.{number % 256}.9"}
    body = {"username": "admin", "password": password} | ({} if otp is None else {"otp": otp})
    return by_json(site.port, body, {**address, **headers})


def test_set_up_gives_ten_codes_and_the_sign_in_asks_from_then_on(site: Server) -> None:
    token = sign_in(site.port, "contributor")
    answer = call(site.port, API, "POST", token)
    assert answer.status == 200
    assert answer.json.keys() == {"secret", "uri"}
    secret = answer.json["secret"]
    assert re.fullmatch(r"[A-Z2-7]{32}", secret)
    assert answer.json["uri"] == (
        f"otpauth://totp/Latchkey%20localhost:contributor?secret={secret}"
        "&issuer=Latchkey%20localhost"
    )
    body = {"username": "contributor", "password": RIGHT}
    assert by_json(site.port, body).status == 200  # nothing is confirmed yet
    confirmed = call(site.port, CONFIRM, "POST", token, {"code": App(secret).code()})
    assert confirmed.status == 200
    codes = confirmed.json["recovery_codes"]
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){6}", code) for code in codes)
    refused = by_json(site.port, body)
    assert (refused.status, refused.code) == (401, "otp_required")
    assert refused["WWW-Authenticate"] == "Bearer"
    assert refused.all("Set-Cookie") == []
    assert site.cli("user", "totp-reset", "contributor").returncode == 0


def test_the_right_code_signs_in_once(site: Server, app: App) -> None:
    code = app.code()
    answer = enter(site, code)
    assert answer.status == 200
    assert answer.json["method"] == "password"
    claims = site.cli("token", "inspect", session_token(answer)).stdout
    assert re.search(r"pwd.*otp.*mfa", claims, re.DOTALL)
    again = enter(site, code)
    assert (again.status, again.code) == (401, "otp_invalid")


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_a_code_counts_one_step_either_way(site: Server, app: App, steps: int, status: int) -> None:
    if abs(steps) == 2:
        steps *= 2  # whatever time passes during the test
    assert enter(site, app.code(steps)).status == status


def test_after_a_code_earlier_ones_are_refused(site: Server, app: App) -> None:
    assert enter(site, app.code()).status == 200
    assert enter(site, app.code(-1)).code == "otp_invalid"
    assert enter(site, app.code(1)).status == 200


def test_the_code_of_the_set_up_counts_as_used(site: Server) -> None:
    token = sign_in(site.port, "user")
    code = start(site.port, token).code()
    assert call(site.port, CONFIRM, "POST", token, {"code": code}).status == 200
    answer = by_json(site.port, {"username": "user", "password": RIGHT, "otp": code})
    assert (answer.status, answer.code) == (401, "otp_invalid")
    assert site.cli("user", "totp-reset", "user").returncode == 0


@pytest.mark.parametrize("spell", [str, str.upper, lambda code: code.replace("-", " ")])
def test_a_recovery_code_signs_in_once(site: Server, app: App, spell: type[str]) -> None:
    code = spell(app.recovery[3])
    assert enter(site, code).status == 200
    assert enter(site, code).code == "otp_invalid"
    assert enter(site, app.recovery[4]).status == 200
    assert "recovery_code_use" in site.log(until="recovery_code_use")


def test_spaces_and_wide_digits_are_the_same_code(site: Server, app: App) -> None:
    code = app.code()
    assert enter(site, f" {code[:3]} {code[3:]} ").status == 200
    forget_used(site)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in app.code())
    assert enter(site, wide).status == 200


@pytest.mark.parametrize(
    ("otp", "status", "code"),
    [
        ("", 401, "otp_required"),
        (None, 401, "otp_required"),
        ("   ", 401, "otp_required"),
        ("0", 401, "otp_invalid"),
        ("00000", 401, "otp_invalid"),
        ("0000000", 401, "otp_invalid"),
        ("-12345", 401, "otp_invalid"),
        ("+12345", 401, "otp_invalid"),
        ("12345.", 401, "otp_invalid"),
        ("1e5000", 401, "otp_invalid"),
        ("0x1234", 401, "otp_invalid"),
        ("١٢٣٤٥٦", 401, "otp_invalid"),
        ("²²²²²²", 401, "otp_invalid"),
        ("🦉🦉🦉🦉🦉🦉", 401, "otp_invalid"),
        ("ﷺ" * 64, 401, "otp_invalid"),
        ("123456\x00", 401, "otp_invalid"),
        ("' OR 1=1 --", 401, "otp_invalid"),
        ("%", 401, "otp_invalid"),
        ("-" * 64, 401, "otp_invalid"),
        ("1" * 65, 422, "validation_error"),
        (123456, 422, "validation_error"),
        (True, 422, "validation_error"),
        (["123456"], 422, "validation_error"),
        ({"code": "123456"}, 422, "validation_error"),
        (1.5, 422, "validation_error"),
    ],
    ids=ascii,
)
def test_hostile_codes_have_a_stable_answer(
    site: Server, app: App, otp: object, status: int, code: str
) -> None:
    assert app.secret
    answer = by_json(site.port, {"username": "admin", "password": RIGHT, "otp": otp})
    assert (answer.status, answer.code) == (status, code)
    assert answer.all("Set-Cookie") == []


def test_without_the_password_no_code_is_looked_at(site: Server, app: App) -> None:
    code = app.code()
    for otp in (None, code, app.wrong(), app.recovery[0]):
        answer = enter(site, otp, password="wrong")
        assert answer.code == "credentials_invalid"
        site.cli("limits", "clear", "admin")
    assert enter(site, code).status == 200  # it was not used up
    assert enter(site, app.recovery[0]).status == 200


def test_users_without_codes_are_not_asked(site: Server) -> None:
    answer = by_json(site.port, {"username": "user", "password": RIGHT, "otp": "123456"})
    assert answer.status == 200
    assert '"pwd"' in site.cli("token", "inspect", session_token(answer), "--json").stdout


def test_wrong_codes_count_and_a_right_password_does_not_clear_them(site: Server, app: App) -> None:
    """Otherwise somebody who knows the password could guess codes without end."""
    codes = []
    for _ in range(6):
        assert enter(site).code in {"otp_required", "too_many_attempts"}
        codes.append(enter(site, app.wrong()).code)
    assert codes == ["otp_invalid"] * 5 + ["too_many_attempts"]
    prolong_delays(site)
    waiting = enter(site, app.code())
    assert (waiting.status, waiting.code) == (429, "too_many_attempts")
    assert int(waiting["Retry-After"]) >= 1


def test_a_complete_sign_in_clears_the_count(site: Server, app: App) -> None:
    for _ in range(2):
        for _ in range(5):
            assert enter(site, app.wrong()).code == "otp_invalid"
        assert enter(site, app.code()).status == 200
        forget_used(site)


def test_a_known_device_can_still_enter_its_code(site: Server, app: App) -> None:
    browser = device(enter(site, app.code()))
    forget_used(site)
    for _ in range(7):
        enter(site, app.wrong())
    prolong_delays(site)
    assert enter(site, app.code()).status == 429
    assert enter(site, app.code(), **browser).status == 200


# The calls of a signed-in user.


def test_a_wrong_code_confirms_nothing(site: Server) -> None:
    token = sign_in(site.port, "user")
    app = start(site.port, token)
    for code in (app.wrong(), "", "abc", app.code(-5)):
        answer = call(site.port, CONFIRM, "POST", token, {"code": code})
        assert (answer.status, answer.code) == (422, "validation_error")
        assert [error["attribute"] for error in answer.json["errors"]] == ["code"]
    assert by_json(site.port, {"username": "user", "password": RIGHT}).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 422),
        ({"code": None}, 422),
        ({"code": 123456}, 422),
        ({"code": "1" * 65}, 422),
        ({"code": "123456", "secret": "A" * 32}, 422),
        ({"code": "123456", "current": 1}, 422),
    ],
)
def test_bodies_of_confirm(site: Server, body: object, status: int) -> None:
    token = sign_in(site.port, "user")
    answer = call(site.port, CONFIRM, "POST", token, body)
    assert (answer.status, answer.code) == (status, "validation_error")


def test_without_a_set_up_there_is_nothing_to_confirm(site: Server) -> None:
    token = sign_in(site.port, "manager")
    answer = call(site.port, CONFIRM, "POST", token, {"code": "123456"})
    assert (answer.status, answer.code) == (409, "otp_setup_missing")


def test_a_set_up_expires(site: Server) -> None:
    token = sign_in(site.port, "user")
    app = start(site.port, token)
    with db.writing_blocking(site.database) as connection:
        connection.execute("UPDATE totp_setups SET expires_at = 0")
    answer = call(site.port, CONFIRM, "POST", token, {"code": app.code()})
    assert (answer.status, answer.code) == (409, "otp_setup_missing")


def test_setting_up_again_keeps_the_old_codes_until_the_end(site: Server, app: App) -> None:
    token = password_token(site.port, "admin", RIGHT, app.code())
    forget_used(site)
    new = start(site.port, token)
    assert enter(site, app.code()).status == 200
    confirmed = call(site.port, CONFIRM, "POST", token, {"code": new.code()})
    assert confirmed.status == 200
    forget_used(site)
    for old in (app.code(), app.recovery[0]):
        assert enter(site, old).code == "otp_invalid"
    assert enter(site, new.code()).status == 200


def test_removing_ends_the_questions(site: Server, app: App) -> None:
    token = password_token(site.port, "admin", RIGHT, app.code())
    assert call(site.port, API, "DELETE", token).status == 204
    assert enter(site).status == 200
    assert call(site.port, API, "DELETE", token).status == 204
    assert db.read_blocking(site.database, "SELECT * FROM recovery_codes") == []


def test_an_old_sign_in_needs_the_current_password(site: Server) -> None:
    token = aged(sign_in(site.port, "user"))
    for path, method, body in (
        (API, "POST", None),
        (API, "POST", {}),
        (CONFIRM, "POST", {"code": "123456"}),
        (API, "DELETE", None),
    ):
        answer = call(site.port, path, method, token, body)
        assert (answer.status, answer.code) == (403, "reauthentication_required"), path
    assert call(site.port, API, "POST", token, {"current": RIGHT}).status == 200
    wrong = call(site.port, API, "DELETE", token, {"current": "wrong"})
    assert (wrong.status, wrong.code) == (403, "reauthentication_required")
    assert call(site.port, API, "DELETE", token, {"current": RIGHT}).status == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", API), ("POST", CONFIRM), ("DELETE", API), ("GET", "/account/codes")],
)
def test_strangers_are_refused(site: Server, method: str, path: str) -> None:
    answer = ask(site.port, path, method)
    assert (answer.status, answer.code) == (401, "credentials_missing")


@pytest.mark.parametrize(("method", "path"), [("POST", API), ("POST", CONFIRM), ("DELETE", API)])
def test_another_site_changes_nothing(site: Server, method: str, path: str) -> None:
    token = sign_in(site.port, "user")
    headers = {"Cookie": f"jwt={token}", "Sec-Fetch-Site": "cross-site"}
    answer = ask(site.port, path, method, headers=headers)
    assert (answer.status, answer.code) == (403, "cross_site_request")


def test_a_reset_ends_the_sessions_and_the_questions(site: Server, app: App) -> None:
    token = password_token(site.port, "admin", RIGHT, app.code())
    done = site.cli("user", "totp-reset", "admin")
    assert (done.returncode, done.stderr) == (0, "")
    assert enter(site).status == 200
    again = site.cli("user", "totp-reset", "admin")
    assert (again.returncode, again.stdout.strip()) == (0, "The user has no one-time codes.")
    assert site.cli("user", "totp-reset", "nobody").returncode == 1
    while ask(site.port, "/auth/me", headers=bearer(token)).status == 200:
        pass


def test_no_secret_is_in_the_log(site: Server, app: App) -> None:
    enter(site, app.code())
    enter(site, app.recovery[0])
    log = site.log(until="recovery_code_use")
    assert app.secret not in log
    assert not any(code in log for code in app.recovery)
