"""Passkeys: register, sign in, list, rename and remove; what counts once; what needs a sign-in."""

import jwt
import pytest

from tests.support.authenticator import BE, BS, SOUND, Authenticator, text
from tests.support.client import BROWSER, ask, bearer, cookie, sign_in
from tests.support.environment import SECRET
from tests.support.passkeys import (
    OWN,
    as_user,
    by_passkey,
    creation_options,
    register,
    registered,
    request_options,
    send,
    session_of,
)
from tests.support.passwords import RIGHT, give_password, quick_hashes, set_cookie
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store, run_sql

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server with passkeys and passwords."""
    return running.start(store, PASSKEY_AUTH="true", PASSWORD_AUTH="true")


def test_a_passkey_signs_in_like_every_other_way(site: Server) -> None:
    key = registered(site, "admin")
    answer = by_passkey(site, key, next="/auth/me")
    assert answer.json == {"location": "/auth/me"}
    me = ask(site.port, "/auth/me", headers=session_of(answer)).json
    assert (me["username"], me["method"]) == ("admin", "passkey")
    _, *attributes = set_cookie(answer, "jwt").split("; ")
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=21600"]
    )
    assert set_cookie(answer, "latchkey_device")
    claims = site.cli("token", "inspect", set_cookie(answer, "jwt")[4:].partition(";")[0]).stdout
    assert "pop" in claims
    assert "mfa" in claims


def test_the_options_ask_for_a_discoverable_key_and_for_the_user(site: Server) -> None:
    headers = as_user(site, "contributor")
    options = creation_options(site, headers)
    assert options["rp"] == {"id": "localhost", "name": "Latchkey"}
    assert options["user"]["name"] == "contributor"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert {each["alg"] for each in options["pubKeyCredParams"]} == {-7, -8, -257}
    assert options["attestation"] == "none"
    assert options["excludeCredentials"] == []
    key = Authenticator(site.url)
    assert register(site, headers, key).status == 201
    again = creation_options(site, headers)
    assert again["user"]["id"] == key.user_handle
    assert again["excludeCredentials"] == [
        {"id": text(key.credential_id), "type": "public-key", "transports": ["internal", "hybrid"]}
    ]
    asked = request_options(site)
    assert asked["rpId"] == "localhost"
    assert asked["userVerification"] == "required"
    assert asked["allowCredentials"] == []
    assert asked["challenge"] != request_options(site)["challenge"]


def test_own_passkeys_are_listed_renamed_and_removed(site: Server) -> None:
    headers = as_user(site, "user")
    give_password(site, "user")
    headers = as_user(site, "user")
    known = bytes.fromhex("fdb141b25d84443e8a354698c205a502")
    made = register(site, headers, Authenticator(site.url, aaguid=known))
    assert made.json.keys() == {"id", "name", "created_at", "last_used_at"}
    assert made.json["name"] == "KeePassXC"
    assert made["Location"] == f"{OWN}/{made.json['id']}"
    key = Authenticator(site.url)
    named = register(site, headers, key, name="  Laptop ").json
    assert (named["name"], named["last_used_at"]) == ("Laptop", None)
    assert by_passkey(site, key).status == 200
    one, two = ask(site.port, OWN, headers=headers).json
    assert (one, two["id"]) == (made.json, named["id"])
    assert two["last_used_at"] is not None
    path = f"{OWN}/{named['id']}"
    renamed = send(site, path, {"name": "Phone"}, method="PATCH", headers=headers)
    assert (renamed.status, renamed.json["name"]) == (200, "Phone")
    page = ask(site.port, "/account/passkeys", headers={**headers, **BROWSER})
    assert page.status == 200
    assert "Phone" in page.text
    assert "script-src 'self'; connect-src 'self'" in page["Content-Security-Policy"]
    assert send(site, path, method="DELETE", headers=headers).status == 204
    assert by_passkey(site, key).code == "passkey_invalid"
    assert [each["name"] for each in ask(site.port, OWN, headers=headers).json] == ["KeePassXC"]
    actions = [row[0] for row in run_sql(site.database, "SELECT action FROM audit")]
    assert {"passkey_add", "passkey_rename", "passkey_delete"} <= set(actions)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_passkeys_of_others_do_not_exist(site: Server, method: str) -> None:
    theirs = register(site, as_user(site, "admin"), Authenticator(site.url)).json["id"]
    headers = as_user(site, "contributor")
    body = {"name": "Mine"} if method == "PATCH" else None
    for name in (theirs, 10**9, "0", "x", "1e3", "9" * 30):
        answer = send(site, f"{OWN}/{name}", body, method=method, headers=headers)
        assert (answer.status, answer.code) == (404, "passkey_not_found")


def test_the_last_way_in_cannot_be_removed(start: Start, quick_hashes: None) -> None:  # noqa: ARG001
    site = start(PASSKEY_AUTH="true")
    give_password(site, "user")  # counts only while passwords are on
    for name, headers in (("admin", as_user(site, "admin")), ("user", as_user(site, "user"))):
        one = register(site, headers, Authenticator(site.url)).json["id"]
        two = register(site, headers, Authenticator(site.url)).json["id"]
        assert send(site, f"{OWN}/{one}", method="DELETE", headers=headers).status == 204, name
        refused = send(site, f"{OWN}/{two}", method="DELETE", headers=headers)
        assert (refused.status, refused.code) == (409, "last_way_in")
        assert [each["id"] for each in ask(site.port, OWN, headers=headers).json] == [two]


def test_adding_and_removing_need_a_recent_sign_in_or_the_password(site: Server) -> None:
    give_password(site, "manager")
    headers = as_user(site, "manager")
    made = register(site, headers, Authenticator(site.url)).json["id"]
    old = cookie(aged(site, sign_in(site.port, "manager")))
    key = Authenticator(site.url)
    credential = key.create(creation_options(site, old))
    path = f"{OWN}/{made}"
    for members, status, code in (
        ({}, 403, "reauthentication_required"),
        ({"current": "wrong"}, 403, "reauthentication_required"),
        ({"current": ""}, 422, "validation_error"),
        ({"current": 1}, 422, "validation_error"),
    ):
        body = {"credential": credential, **members}
        answer = send(site, OWN, body, headers=old)
        assert (answer.status, answer.code) == (status, code)
        answer = send(site, path, members, method="DELETE", headers=old)
        assert (answer.status, answer.code) == (status, code)
    assert send(site, path, method="DELETE", headers=old).code == "reauthentication_required"
    assert send(site, path, {"name": "Old"}, method="PATCH", headers=old).status == 200
    body = {"credential": credential, "current": RIGHT}
    assert send(site, OWN, body, headers=old).status == 201
    assert send(site, path, {"current": RIGHT}, method="DELETE", headers=old).status == 204
    assert by_passkey(site, key).status == 200
    page = ask(site.port, "/account/passkeys", headers={**old, **BROWSER}).text
    assert "/auth/login?next=%2Faccount%2Fpasskeys&amp;again=1" in page


def aged(site: Server, token: str) -> str:
    """Return a token of the same session, whose sign-in was long ago."""
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer=site.url)
    claims["auth_time"] -= 601
    return jwt.encode(claims, SECRET, algorithm="HS256")


def test_a_disabled_user_and_a_deleted_one_are_unknown(site: Server) -> None:
    assert site.cli("user", "create", "gone").returncode == 0
    key = registered(site, "gone")
    assert by_passkey(site, key).status == 200
    assert site.cli("user", "disable", "gone").returncode == 0
    assert by_passkey(site, key).code == "passkey_invalid"
    assert site.cli("user", "enable", "gone").returncode == 0
    assert by_passkey(site, key).status == 200
    assert site.cli("user", "delete", "gone", "--yes").returncode == 0
    assert by_passkey(site, key).code == "passkey_invalid"
    left = run_sql(
        site.database,
        "SELECT 1 FROM passkeys p WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p.user_id)",
    )
    assert left == []


def test_a_counter_that_goes_back_is_refused_and_recorded(site: Server) -> None:
    key = registered(site, "admin", count=5)
    for count, status in ((6, 200), (6, 401), (5, 401), (0, 401), (7, 200), (2**32 - 1, 200)):
        key.count = count
        assert by_passkey(site, key).status == status, count
    rows = run_sql(site.database, "SELECT detail FROM audit WHERE action = 'passkey_refuse'")
    assert len(rows) == 3
    assert '"stored": 6, "received": 5' in rows[1][0]
    assert "passkey_refuse" in site.log(until="passkey_refuse")


def test_backup_flags_are_kept_and_their_eligibility_never_changes(site: Server) -> None:
    key = registered(site, "admin", flags=SOUND | BE)
    key.flags = SOUND | BE | BS
    assert by_passkey(site, key).status == 200
    rows = run_sql(site.database, "SELECT backup_eligible, backed_up FROM passkeys ORDER BY id")
    assert rows[-1] == (1, 1)
    key.flags = SOUND
    assert by_passkey(site, key).code == "passkey_invalid"


def test_other_sites_cannot_use_the_routes(site: Server) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    key = registered(site, "admin")
    body = {"credential": key.get(request_options(site))}
    assert send(site, "/auth/passkey", body, headers=foreign).code == "cross_site_request"
    assert send(site, "/auth/passkey", body).status == 200
    headers = {**as_user(site, "admin"), **foreign}
    assert send(site, OWN, {}, headers=headers).code == "cross_site_request"


@pytest.mark.parametrize("path", [OWN, f"{OWN}/options"])
def test_own_passkeys_need_a_session(site: Server, path: str) -> None:
    assert send(site, path, {}).code == "credentials_missing"
    assert send(site, path, {}, headers=bearer("x.y.z")).status == 401


def test_off_is_absent(server: Server) -> None:
    headers = as_user(server, "admin")
    for method, path in (
        ("POST", "/auth/passkey/options"),
        ("POST", "/auth/passkey"),
        ("GET", OWN),
        ("POST", OWN),
        ("POST", f"{OWN}/options"),
        ("DELETE", f"{OWN}/1"),
        ("GET", "/account/passkeys"),
    ):
        answer = send(server, path, {}, method=method, headers=headers)
        assert (answer.status, answer.code) == (404, "not_found")
    assert "passkey" not in ask(server.port, "/auth/login", headers=BROWSER).text


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_as_host_offers_none_and_says_so(start: Start, host: str) -> None:
    site = start(PASSKEY_AUTH="true", PUBLIC_URL=f"http://{host}:8080")
    for path in ("/auth/passkey/options", "/auth/passkey", f"{OWN}/options", OWN):
        answer = send(site, path, {}, headers=as_user(site, "admin"))
        assert (answer.status, answer.code) == (404, "not_found")
        assert "host name" in answer.json["detail"]
    assert "<button" not in ask(site.port, "/auth/login", headers=BROWSER).text
    assert "passkeys need a host name" in site.log(until="PASSKEY_AUTH")
    assert "Warning: PASSKEY_AUTH has no effect" in site.cli("config", "check").stderr


def test_the_sign_in_page_offers_passkeys_with_and_without_passwords(
    site: Server, start: Start
) -> None:
    page = ask(site.port, "/auth/login?next=/auth/me", headers=BROWSER)
    assert "script-src 'self'; connect-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert 'autocomplete="username webauthn"' in page.text
    assert 'data-next="/auth/me"' in page.text
    alone = ask(start(PASSKEY_AUTH="true").port, "/auth/login", headers=BROWSER).text
    assert "Sign in with a passkey" in alone
    assert 'name="password"' not in alone
