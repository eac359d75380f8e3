"""Lifetimes that differ, by real processes and commands: every revocation outlives every token."""

import json
import time

import jwt
import pytest

from service.config import DatabaseUrl as Where
from service.db_tools import migrations
from service.parsing import dates
from tests.support.client import ask, bearer, sign_in
from tests.support.commands import Run
from tests.support.environment import SECRET
from tests.support.faults import refused_by_all
from tests.support.servers import Server, Start
from tests.support.stores import ON_POSTGRESQL, ON_SQLITE, run_sql


@pytest.fixture(scope="module")
def short(start: Start) -> Server:
    """Return a server whose tokens live for two minutes."""
    return start(JWT_EXPIRES_IN="120")


@pytest.fixture(scope="module")
def long(start: Start, short: Server) -> Server:
    """Return another one on its database, whose tokens live for thirty days."""
    return start(beside=short, JWT_EXPIRES_IN="30d")


def life_of(token: str) -> int:
    """Return how long a token lives from its start to its end."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return int(claims["exp"] - claims["iat"])


def max_life(server: Server) -> int:
    """Return the longest life that the feed of a server names."""
    document = ask(server.port, "/auth/revocations").text
    return int(jwt.decode(document, options={"verify_signature": False})["max_life"])


def until_of(server: Server, user_id: int) -> int:
    """Return until when the revocation of a user is kept."""
    sql = "SELECT max(until) FROM changes WHERE kind = 'revoked' AND user_id = ?"
    return int(run_sql(server.database, sql, user_id)[0][0])


def test_a_revocation_covers_what_a_server_with_other_settings_issued(
    short: Server, long: Server
) -> None:
    token = sign_in(long.port, "manager")
    assert life_of(token) == 30 * 86400
    assert ask(short.port, "/auth/me", headers=bearer(token)).status == 200
    assert max_life(short) == max_life(long) == 30 * 86400
    assert short.cli("user", "disable", "manager").returncode == 0
    refused_by_all([short, long], token)
    assert until_of(short, 3) > time.time() + 30 * 86400


def test_a_restart_with_a_shorter_life_ends_no_longer_one(start: Start, short: Server) -> None:
    again = start(beside=short, JWT_EXPIRES_IN="60")
    assert max_life(again) >= 120
    lives = {row[0] for row in run_sql(short.database, "SELECT seconds FROM token_lifetimes")}
    assert {60, 120} <= lives
    assert ask(again.port, "/auth/me", headers=bearer(sign_in(short.port))).status == 200


def test_token_issue_notes_its_life_before_it_prints_a_token(short: Server) -> None:
    settings = {**short.environ, "PUBLIC_URL": short.url, "JWT_EXPIRES_IN": "60d"}
    issued = Server(**{**vars(short), "environ": settings}).cli(
        "token", "issue", "user", "--expires-in", "50d", "--json"
    )
    token = json.loads(issued.stdout)["token"]
    assert life_of(token) == 50 * 86400
    assert ask(short.port, "/auth/me", headers=bearer(token)).status == 200
    assert short.cli("user", "sign-out", "user").returncode == 0
    refused_by_all([short], token)
    assert until_of(short, 4) > time.time() + 50 * 86400


def test_a_token_that_nobody_noted_is_refused(short: Server) -> None:
    good = sign_in(short.port)
    claims = jwt.decode(good, SECRET, algorithms=["HS256"], issuer=short.url)
    forged = jwt.encode({**claims, "exp": claims["iat"] + 365 * 86400}, SECRET, "HS256")
    answer = ask(short.port, "/auth/me", headers=bearer(forged))
    assert (answer.status, answer.json["code"]) == (401, "token_invalid")


def test_all_sessions_end_by_one_command(start: Start) -> None:
    server = start()
    tokens = [sign_in(server.port, name) for name in ("admin", "user")]
    # A user whom the restored database does not know, and whose number it will give again.
    stranger = {**jwt.decode(tokens[0], SECRET, ["HS256"], issuer=server.url), "id": 77}
    tokens.append(jwt.encode({**stranger, "sub": "77", "sid": "x" * 22}, SECRET, "HS256"))
    assert all(ask(server.port, "/auth/me", headers=bearer(each)).status == 200 for each in tokens)
    assert server.cli("user", "sign-out").returncode == 2
    assert server.cli("user", "sign-out", "admin", "--all").returncode == 2
    assert server.cli("user", "sign-out", "--all").returncode == 1
    done = server.cli("user", "sign-out", "--all", "--yes")
    assert done.returncode == 0, done.stderr
    for token in tokens:
        refused_by_all([server], token)
    time.sleep(1)  # by the second: what is issued in the second of the command is refused, too
    again = sign_in(server.port)
    assert ask(server.port, "/auth/me", headers=bearer(again)).status == 200
    (row,) = ask(server.port, "/api/v1/audit?action=user_sign_out", headers=bearer(again)).json
    assert row["target"] == {"id": None, "name": "all users"}, row


def test_a_slow_clock_does_not_end_all_sessions_too_early(start: Start) -> None:
    server = start()
    run_sql(server.database, "UPDATE token_lifetimes SET noted_at = noted_at + 3600")
    done = server.cli("user", "sign-out", "--all", "--yes")
    assert done.returncode == 1
    assert "The clock of this machine is 3" in done.stderr


@ON_POSTGRESQL
def test_a_fast_clock_does_not_keep_everybody_out(
    run: Run, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda real=time.time: real() + 30 * 86400)
    code, _, said = run("user", "sign-out", "--all", "--yes")
    assert code == 1
    assert "The clock of this machine is 25920" in said
    assert "ahead of the clock of the database" in said
    assert run_sql(where, "SELECT not_before FROM revocation_state") == []


@ON_SQLITE
def test_a_clock_that_nobody_confirms_is_named_and_can_be_corrected(
    run: Run, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    with monkeypatch.context() as fast:
        fast.setattr(time, "time", lambda: now + 30 * 86400)
        code, asked, _ = run("user", "sign-out", "--all", stdin="n\n")
        assert code == 1
        assert dates.rfc3339(now + 30 * 86400) in asked
        assert "No server ran in the last hour" in asked
        assert run_sql(where, "SELECT not_before FROM revocation_state") == []
        code, _, said = run("user", "sign-out", "--all", "--yes")
        assert (code, dates.rfc3339(now + 30 * 86400) in said) == (0, True)
    note = "INSERT INTO token_lifetimes (seconds, until, noted_at) VALUES (60, ?, ?)"
    run_sql(where, note, now + 7200, now - 1800)
    assert run("user", "sign-out", "--all", "--yes")[::2] == (0, "")
    ((moment,),) = run_sql(where, "SELECT not_before FROM revocation_state")
    assert now < moment < now + 60


def test_the_migration_keeps_what_older_versions_wrote_for_as_long_as_is_needed(
    where: Where,
) -> None:
    while (gone := migrations.down(where)) != ["0006.horizons"]:
        assert gone  # a newer one
    now, month = int(time.time()), 30 * 86400
    run_sql(where, "INSERT INTO token_lifetimes (seconds, until) VALUES (?, NULL)", month)
    run_sql(where, "INSERT INTO token_lifetimes (seconds, until) VALUES (120, ?)", now + 180)
    row = "INSERT INTO changes (kind, sid, user_id, version, until) VALUES (?, ?, ?, ?, ?)"
    run_sql(where, row, "session", "s", None, None, now + 1000 + 60)
    run_sql(where, row, "revoked", None, 1, 2, now + 180)  # by the other lifetime alone
    assert migrations.up(where)[0] == "0006.horizons"
    found = run_sql(where, "SELECT kind, until FROM changes ORDER BY seq")
    assert found[0] == ("session", now + 1000 + 3600)
    assert found[1][1] >= now + month + 3600
    assert run_sql(where, "SELECT until FROM token_lifetimes ORDER BY seconds") == [
        (now + 180,),
        (None,),
    ]
