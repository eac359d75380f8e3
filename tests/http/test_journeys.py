"""Whole journeys over real HTTP, with the clients that people use."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import jwt
import pytest

from tests.support.client import ask, bearer, cookie, sign_in
from tests.support.environment import SECRET
from tests.support.servers import Server, Start

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_curl_with_a_jar_signs_in_and_carries_the_session(server: Server, tmp_path: Path) -> None:
    def curl(*arguments: str) -> str:
        done = subprocess.run(
            ["curl", "--silent", "--cookie", "jar", "--cookie-jar", "jar", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    first = curl("--include", f"{server.url}/auth/bypass?token=admin")
    assert first.startswith("HTTP/1.1 302 Found\n")
    assert "\nLocation: /\n" in first

    me = json.loads(curl(f"{server.url}/auth/me"))
    assert (me["username"], me["method"]) == ("admin", "bypass")

    exchanged = json.loads(curl(f"{server.url}/auth/token"))
    for token in (exchanged["token"], first.partition("jwt=")[2].partition(";")[0]):
        as_bearer = ["--header", f"Authorization: Bearer {token}"]
        done = subprocess.run(
            ["curl", "--silent", *as_bearer, f"{server.url}/auth/me"],
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == me

    curl("--request", "POST", f"{server.url}/auth/logout")
    assert json.loads(curl(f"{server.url}/auth/me"))["code"] == "credentials_missing"


@needs_curl
def test_the_curl_line_of_the_home_page_works(server: Server) -> None:
    page = ask(server.port, "/", headers=cookie(sign_in(server.port, "manager"))).text
    (line,) = re.findall("<code>(curl .*?)</code>", page)
    line = line.replace("&amp;", "&")
    done = subprocess.run(line, shell=True, capture_output=True, check=True)  # noqa: S602
    assert json.loads(done.stdout)["username"] == "manager"


def test_a_program_that_knows_only_the_secret_verifies_the_token(server: Server) -> None:
    claims = jwt.decode(
        sign_in(server.port), SECRET, algorithms=["HS256"], issuer=server.url, leeway=1
    )
    assert claims["username"] == "admin"
    assert [role["role"] for role in claims["roles"]] == [
        "manage_users",
        "manage_documents",
        "manage_communities",
    ]
    assert claims["sub"] == str(claims["id"])
    assert claims["exp"] - claims["iat"] == 6 * 3600
    assert claims["amr"] == ["bypass"]
    assert claims.keys() == {
        "id", "username", "roles", "iss", "sub", "iat", "exp", "auth_time",
        "jti", "sid", "ver", "amr",
    }  # fmt: skip


def test_a_session_ends_when_its_time_is_over(start: Start) -> None:
    server = start(JWT_EXPIRES_IN="2s")
    token = sign_in(server.port)
    assert ask(server.port, "/auth/me", headers=cookie(token)).status == 200
    exchanged = ask(server.port, "/auth/token", headers=cookie(token)).json
    assert exchanged["expires_in"] <= 2
    expires_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    time.sleep(max(0.0, expires_at - time.time()) + 0.05)
    for late in (token, exchanged["token"]):
        assert ask(server.port, "/auth/me", headers=bearer(late)).code == "token_expired"


def test_a_disabled_user_cannot_sign_in_and_an_enabled_one_can_again(start: Start) -> None:
    server = start()
    assert server.cli("user", "disable", "manager").returncode == 0
    refused = ask(server.port, "/auth/bypass?token=manager")
    unknown = ask(server.port, "/auth/bypass?token=nobody")
    assert (refused.status, refused.body) == (unknown.status, unknown.body) == (401, unknown.body)
    assert server.cli("user", "enable", "manager").returncode == 0
    sign_in(server.port, "manager")


def test_a_previous_secret_keeps_everybody_signed_in(start: Start) -> None:
    before = start()
    token = sign_in(before.port)
    after = start(
        JWT_SECRET_KEY="n" + SECRET,
        JWT_SECRET_KEY_PREVIOUS=SECRET,
        PUBLIC_URL=before.url,
    )
    assert ask(after.port, "/auth/me", headers=cookie(token)).status == 200
    fresh = ask(after.port, "/auth/token", headers=cookie(token)).json["token"]
    assert ask(before.port, "/auth/me", headers=bearer(fresh)).code == "token_invalid"


def test_a_user_with_too_many_roles_is_named_and_gets_no_token(start: Start) -> None:
    server = start()
    roles = [f"role-{number:03}-{'x' * 40}" for number in range(60)]
    seed = server.folder / "many.json"
    seed.write_text(json.dumps({"users": [{"username": "collector", "roles": roles}]}))
    assert server.cli("seed", "many.json").returncode == 0
    answer = ask(server.port, "/auth/bypass?token=collector")
    assert (answer.status, answer.code) == (403, "token_too_large")
    assert "collector" in answer.json["detail"]
    assert answer.all("Set-Cookie") == []
