"""The second step of a sign-in in a browser: a code, or the set-up that must come first."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service import db
from tests.support.client import BROWSER, Answer, ask, bearer, sign_in
from tests.support.codes import App, aged, forget_used, kept, prolong_delays, set_up, submit
from tests.support.passwords import (
    RIGHT,
    by_form,
    by_json,
    give_password,
    quick_hashes,
    session_token,
    set_cookie,
)
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

CODE, SETUP = "/auth/password/code", "/auth/password/setup"
COOKIE = "latchkey_second_factor"
PAGE = "/account/codes"


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    server = running.start(store, PASSWORD_AUTH="true")
    for username in ("admin", "user"):
        give_password(server, username)
    return server


@pytest.fixture(scope="module")
def strict(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    server = running.start(store, PASSWORD_AUTH="true", SECOND_FACTOR="required")
    for username in ("admin", "user"):
        give_password(server, username)
    return server


@pytest.fixture
def app(site: Server) -> Iterator[App]:
    """Yield the app of admin, whose codes are set up and unused."""
    app = set_up(site.port, sign_in(site.port, "admin"))
    forget_used(site)
    yield app
    reset(site, "admin")


def reset(site: Server, username: str) -> None:
    assert site.cli("user", "totp-reset", username).returncode == 0
    site.cli("limits", "clear", username)


def shown_secret(page: Answer) -> str:
    """Return the secret on a page of a set-up."""
    (words,) = re.findall(r"<dd><code>([A-Z2-7 ]+)</code></dd>", page.text)
    return str(words).replace(" ", "")


def shown_codes(page: Answer) -> list[str]:
    """Return the recovery codes on a page."""
    return re.findall(r"<li><code>([a-z2-9-]+)</code></li>", page.text)


def test_the_browser_asks_for_the_code_and_leads_on(site: Server, app: App) -> None:
    first = by_form(site.port, username="admin", password=RIGHT, next="/auth/me?a=b&c")
    assert first.status == 401
    assert 'autocomplete="one-time-code"' in first.text
    assert 'name="next" value="/auth/me?a=b&amp;c"' in first.text
    assert RIGHT not in first.text
    value, *attributes = set_cookie(first, COOKIE).split("; ")
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Strict", "Path=/auth/password", "Max-Age=300"]
    )
    assert "admin" not in value
    assert not any(line.startswith("jwt=") for line in first.all("Set-Cookie"))
    second = submit(site.port, CODE, kept(first), otp=app.code(), next="/auth/me?a=b&c")
    assert (second.status, second["Location"]) == (302, "/auth/me?a=b&c")
    assert set_cookie(second, COOKIE).startswith(f"{COOKIE}=;")
    assert "Max-Age=0" in set_cookie(second, COOKIE)
    assert set_cookie(second, "latchkey_device")
    me = ask(site.port, "/auth/me", headers=bearer(session_token(second))).json
    assert (me["username"], me["method"]) == ("admin", "password")


def test_a_wrong_code_is_asked_for_again(site: Server, app: App) -> None:
    first = by_form(site.port, username="admin", password=RIGHT)
    wrong = submit(site.port, CODE, kept(first), otp=app.wrong(), next="/auth/me")
    assert wrong.status == 401
    assert 'role="alert"' in wrong.text
    assert 'name="next" value="/auth/me"' in wrong.text
    assert app.wrong() not in wrong.text
    empty = submit(site.port, CODE, kept(first), otp="")
    assert (empty.status, "Enter the code." in empty.text) == (422, True)
    assert submit(site.port, CODE, kept(first), otp=app.code()).status == 302


def test_a_recovery_code_has_a_field_of_its_own(site: Server, app: App) -> None:
    cookies = kept(by_form(site.port, username="admin", password=RIGHT))
    path = f"{CODE}?recovery=1&next=/auth/me"
    page = ask(site.port, path, headers={**BROWSER, "Cookie": cookies})
    assert page.status == 200
    assert "numeric" not in page.text
    assert 'name="next" value="/auth/me"' in page.text
    wrong = submit(site.port, CODE, cookies, otp="abcd", recovery="1")
    assert (wrong.status, "numeric" in wrong.text) == (401, False)
    done = submit(site.port, CODE, cookies, otp=app.recovery[0], recovery="1", next="/auth/me")
    assert (done.status, done["Location"]) == (302, "/auth/me")


def test_the_form_can_send_all_three_at_once(site: Server, app: App) -> None:
    done = by_form(site.port, username="admin", password=RIGHT, otp=app.code())
    assert done.status == 302
    wrong = by_form(site.port, username="admin", password=RIGHT, otp=app.wrong())
    assert (wrong.status, CODE in wrong.text, 'role="alert"' in wrong.text) == (401, True, True)


def test_next_leads_nowhere_else(site: Server, app: App) -> None:
    first = by_form(site.port, username="admin", password=RIGHT, next="https://evil.example")
    assert "evil" not in first.text
    done = submit(site.port, CODE, kept(first), otp=app.code(), next="//evil.example")
    assert done["Location"] == "/"


@pytest.mark.parametrize(
    "cookies",
    [
        "",
        f"{COOKIE}=",
        f"{COOKIE}=x",
        f"{COOKIE}={'A' * 200}",
        f"{COOKIE}={'A' * 5000}",
        "twice",
        "device",
        "session",
    ],
)
@pytest.mark.parametrize("path", [CODE, SETUP])
def test_without_the_first_step_there_is_no_second(
    site: Server, app: App, cookies: str, path: str
) -> None:
    first = by_form(site.port, username="admin", password=RIGHT)
    value = set_cookie(first, COOKIE).partition(";")[0]
    done = submit(site.port, CODE, value, otp=app.code())
    device = set_cookie(done, "latchkey_device").partition(";")[0].partition("=")[2]
    cookies = {
        "twice": f"{value}; {value}",
        "device": f"{COOKIE}={device}",
        "session": f"{COOKIE}={session_token(done)}; jwt={session_token(done)}",
    }.get(cookies, cookies)
    forget_used(site)
    answer = submit(site.port, path, cookies, otp=app.code(), next="/auth/me")
    assert answer.status == 401
    assert 'action="/auth/password"' in answer.text
    assert not any(line.startswith("jwt=") for line in answer.all("Set-Cookie"))


def test_the_cookie_of_a_code_is_none_for_a_set_up(site: Server, app: App) -> None:
    cookies = kept(by_form(site.port, username="admin", password=RIGHT))
    assert submit(site.port, SETUP, cookies, otp=app.code()).status == 401


@pytest.mark.parametrize(
    "change",
    [
        ("user", "sign-out", "admin"),
        ("user", "password", "admin", "--stdin"),
        ("user", "disable", "admin"),
        ("user", "rename", "admin", "root"),
    ],
    ids=" ".join,
)
def test_a_change_of_the_user_ends_the_attempt(
    site: Server, app: App, change: tuple[str, ...]
) -> None:
    cookies = kept(by_form(site.port, username="admin", password=RIGHT))
    if change[1] == "disable":
        assert site.cli("role", "grant", "manager", "manage_users").returncode == 0
    assert site.cli(*change, stdin=RIGHT).returncode == 0
    answer = submit(site.port, CODE, cookies, otp=app.code())
    assert answer.status == 401
    assert not any(line.startswith("jwt=") for line in answer.all("Set-Cookie"))
    site.cli("user", "enable", "admin")
    site.cli("user", "rename", "root", "admin")


def test_of_many_guesses_at_once_five_are_looked_at(site: Server, app: App) -> None:
    cookies = kept(by_form(site.port, username="admin", password=RIGHT))
    wrong = app.wrong()
    with ThreadPoolExecutor(20) as threads:
        answers = threads.map(lambda _: submit(site.port, CODE, cookies, otp=wrong), range(20))
        statuses = sorted(answer.status for answer in answers)
    assert statuses == [401] * 5 + [429] * 15
    prolong_delays(site)
    late = submit(site.port, CODE, cookies, otp=app.code())
    assert (late.status, 'role="alert"' in late.text, "Wait" in late.text) == (429, True, True)
    assert int(late["Retry-After"]) >= 1


def test_programs_get_a_code_from_the_second_step(site: Server, app: App) -> None:
    assert app.secret
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(site.port, CODE, "POST", headers=headers, body=b"otp=123456")
    assert (answer.status, answer.code) == (401, "sign_in_expired")
    as_json = {"Content-Type": "application/json"}
    answer = ask(site.port, CODE, "POST", headers=as_json, body=b'{"otp": "123456"}')
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


@pytest.mark.parametrize("path", [CODE, SETUP])
def test_another_site_cannot_take_the_second_step(site: Server, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    answer = ask(site.port, path, "POST", headers=headers, body=b"otp=123456")
    assert (answer.status, answer.code) == (403, "cross_site_request")


# Codes that every user needs.


def test_required_codes_are_set_up_before_the_session(strict: Server) -> None:
    refused = by_json(strict.port, {"username": "admin", "password": RIGHT})
    assert (refused.status, refused.code) == (401, "otp_setup_required")
    assert refused.all("Set-Cookie") == []
    first = by_form(strict.port, username="admin", password=RIGHT, next="/auth/me")
    assert first.status == 401
    assert "<svg" in first.text
    assert "style=" not in first.text
    app = App(shown_secret(first))
    wrong = submit(strict.port, SETUP, kept(first), otp=app.wrong(), next="/auth/me")
    assert (wrong.status, shown_secret(wrong)) == (401, app.secret)
    done = submit(strict.port, SETUP, kept(first), otp=app.code(), next="/auth/me")
    assert done.status == 200
    codes = shown_codes(done)
    assert len(codes) == 10
    assert 'href="/auth/me"' in done.text
    token = session_token(done)
    assert ask(strict.port, "/auth/me", headers=bearer(token)).status == 200
    body = {"username": "admin", "password": RIGHT}
    assert by_json(strict.port, body).code == "otp_required"
    assert by_json(strict.port, {**body, "otp": codes[0]}).status == 200
    assert submit(strict.port, SETUP, kept(first), otp=app.code()).status == 401
    reset(strict, "admin")


def test_a_set_up_before_the_session_never_replaces_codes(strict: Server) -> None:
    """Only the password was checked: whoever has it must not exchange the second factor."""
    attacker = by_form(strict.port, username="user", password=RIGHT)
    theirs = App(shown_secret(attacker))
    ours = set_up(strict.port, sign_in(strict.port, "user"))
    with db.writing_blocking(strict.database) as connection:
        connection.execute(
            "INSERT INTO totp_setups (user_id, secret, expires_at) SELECT id, '"  # noqa: S608
            + theirs.secret
            + "', 99999999999 FROM users WHERE username = 'user'"
        )
    late = submit(strict.port, SETUP, kept(attacker), otp=theirs.code())
    assert late.status == 401
    forget_used(strict)
    body = {"username": "user", "password": RIGHT}
    assert by_json(strict.port, {**body, "otp": theirs.code()}).code == "otp_invalid"
    assert by_json(strict.port, {**body, "otp": ours.code()}).status == 200
    reset(strict, "user")


def test_switched_off_nobody_is_asked_and_nothing_is_there(
    site: Server, app: App, running: Running, store: Store
) -> None:
    assert app.secret
    off = running.start(store, beside=site, SECOND_FACTOR="off")
    body = {"username": "admin", "password": RIGHT, "otp": "000000"}
    assert by_json(off.port, body).status == 200
    for method, path in (
        ("POST", "/auth/account/totp"),
        ("POST", "/auth/account/totp/confirm"),
        ("DELETE", "/auth/account/totp"),
        ("GET", PAGE),
        ("POST", CODE),
    ):
        answer = ask(off.port, path, method, headers=bearer(sign_in(off.port)))
        assert (answer.status, answer.code) == (404, "not_found")


def test_without_passwords_nothing_is_there(running: Running, store: Store) -> None:
    without = running.start(store)
    for method, path in (("POST", "/auth/account/totp"), ("GET", PAGE), ("GET", CODE)):
        assert ask(without.port, path, method).status == 404


# The page of a signed-in user.


def as_browser(token: str) -> dict[str, str]:
    return {**BROWSER, "Cookie": f"jwt={token}"}


def test_the_page_sets_codes_up_again_and_removes_them(site: Server) -> None:
    token = sign_in(site.port, "user")
    page = ask(site.port, PAGE, headers=as_browser(token))
    assert (page.status, "Set up again" in page.text) == (200, False)
    cookies = f"jwt={token}"
    setup = submit(site.port, PAGE, cookies)
    app = App(shown_secret(setup))
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', setup.text)
    assert f"secret={app.secret}&issuer=" in html.unescape(uri)
    wrong = submit(site.port, f"{PAGE}/confirm", cookies, code=app.wrong())
    assert (wrong.status, shown_secret(wrong), 'role="alert"' in wrong.text) == (
        422,
        app.secret,
        True,
    )
    done = submit(site.port, f"{PAGE}/confirm", cookies, code=app.code())
    assert (done.status, len(shown_codes(done))) == (200, 10)
    page = ask(site.port, PAGE, headers=as_browser(token))
    assert "<dd>10</dd>" in page.text
    assert app.secret not in page.text
    late = submit(site.port, f"{PAGE}/confirm", cookies, code=app.code())
    assert (late.status, f'href="{PAGE}"' in late.text) == (409, True)
    removed = submit(site.port, f"{PAGE}/delete", cookies)
    assert (removed.status, removed["Location"]) == (303, PAGE)
    assert "Set up again" not in ask(site.port, PAGE, headers=as_browser(token)).text


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/delete", f"{PAGE}/confirm"])
def test_the_page_leads_to_the_sign_in_and_back(site: Server, path: str) -> None:
    cookies = f"jwt={aged(sign_in(site.port, 'user'))}"
    answer = submit(site.port, path, cookies, **({"code": "1"} if "confirm" in path else {}))
    assert answer.status == 403
    assert 'href="/auth/login?next=%2Faccount%2Fcodes&amp;again=1"' in answer.text


def test_a_manager_resets_the_codes_of_a_user(site: Server) -> None:
    port, token = site.port, sign_in(site.port, "user")
    app = set_up(port, token)
    (user,) = ask(port, "/api/v1/users?q=user", headers=bearer(sign_in(port))).json
    cookies, path = f"jwt={sign_in(port)}", f"/admin/users/{user['id']}"
    page = ask(port, path, headers={**BROWSER, "Cookie": cookies})
    assert f'action="{path}/totp-reset"' in page.text
    assert app.secret not in page.text
    done = submit(port, f"{path}/totp-reset", cookies)
    assert (done.status, done["Location"]) == (303, f"{path}?done=user-totp-reset")
    assert by_json(port, {"username": "user", "password": RIGHT}).status == 200
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"
    page = ask(port, path, headers={**BROWSER, "Cookie": cookies})
    assert "totp-reset" not in page.text
    refused = submit(port, f"{path}/totp-reset", f"jwt={sign_in(port, 'contributor')}")
    assert refused.status == 403
