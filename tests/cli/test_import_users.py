"""All users of a file at once, or none: what is read, and each fault by line."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service import db
from service.config import DatabaseUrl
from service.db import bulk_insert
from tests.support.client import ask, bearer, sign_in
from tests.support.commands import Run, command, done
from tests.support.environment import clean_environ
from tests.support.servers import Server, Start
from tests.support.stores import run_sql

CREATE = ("user", "create", "--file")


def people(count: int, roles: str = "add_documents") -> str:
    """Return JSON Lines of users."""
    return "".join(
        json.dumps({"username": f"new-{number:05}", "name": f"No {number}", "roles": [roles]})
        + "\n"
        for number in range(count)
    )


def counted(where: DatabaseUrl) -> dict[str, int]:
    """Return how many rows there are of each kind that belongs to users."""
    # An index of its own; on PostgreSQL it cannot be asked, and is one as all are.
    index = "users WHERE search <> ''" if where.path is None else "user_search_docsize"
    tables = {"users": "users", "user_roles": "user_roles", "audit": "audit", "search": index}
    return {
        name: run_sql(where, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
        for name, table in tables.items()
    }


@contextlib.contextmanager
def started(folder: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process of its own, which hears SIGINT though this one may not.

    Its coverage is not measured: a KeyboardInterrupt inside coverage's own lock would hang there.
    """
    environ = clean_environ(**settings)
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "service", *words],
        cwd=folder,
        env={name: value for name, value in environ.items() if not name.startswith("COVERAGE_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


# --- What it does.


def test_users_are_created_from_csv_and_from_json_lines(folder: Path, where: DatabaseUrl) -> None:
    before = counted(where)
    (folder / "people.csv").write_text(
        "username,name,email,roles,disabled\n"
        "Ada,Ada Lovelace,ada@example.org,add_documents view_documents,\n"
        "bob,,,,true\n"
    )
    dry = json.loads(done(folder, *CREATE, "people.csv", "--dry-run", "--json"))
    assert dry == {"action": "user_create", "changed": False, "users": 2, "dry_run": True}
    assert counted(where) == before
    assert done(folder, *CREATE, "people.csv") == "Created 2 users.\n"
    ada = json.loads(done(folder, "user", "show", "ada", "--json"))
    assert (ada["name"], ada["email"], ada["version"]) == ("Ada Lovelace", "ada@example.org", 1)
    assert {role["role"] for role in ada["roles"]} == {"add_documents", "view_documents"}
    assert json.loads(done(folder, "user", "show", "bob", "--json"))["disabled"] is True
    entry = json.loads(done(folder, "audit", "list", "--user", "ada", "--json"))
    assert [each["action"] for each in entry] == ["user_create"]
    assert entry[0]["detail"] == {"roles": ["add_documents", "view_documents"]}

    piped = done(folder, *CREATE, "-", "--format", "jsonl", "--json", stdin=people(3))
    assert json.loads(piped) == {
        "action": "user_create",
        "changed": True,
        "users": 3,
        "dry_run": False,
    }
    after = counted(where)
    assert after["users"] == after["search"] == before["users"] + 5
    assert after["audit"] == before["audit"] + 5
    assert after["user_roles"] == before["user_roles"] + 5
    listed = json.loads(done(folder, "user", "list", "--q", "no 2", "--json"))
    assert [user["username"] for user in listed] == ["new-00002"]


@pytest.mark.parametrize(
    ("name", "encoding"), [("people.csv", "utf-8-sig"), ("people.tsv", "utf-16"), ("-", "utf-16")]
)
def test_users_are_created_from_a_spreadsheet(
    folder: Path, where: DatabaseUrl, name: str, encoding: str
) -> None:
    separator = ";" if name == "people.csv" else "\t"
    text = f"sep={separator}\r\n" * (name == "people.csv")
    text += separator.join(["username", "name", "roles"]) + "\r\n"
    text += separator.join(["ada", "Ada Løvelace", "add_documents, view_documents"]) + "\r\n"
    (folder / "people").write_bytes(text.encode(encoding))
    file = folder / "people"
    if name != "-":
        file = file.rename(folder / name)
        assert done(folder, *CREATE, name) == "Created 1 user.\n"
    else:
        with file.open("rb") as stdin:
            words = [sys.executable, "-m", "service", *CREATE, "-", "--format", "csv"]
            environ = clean_environ(DATABASE_URL=where.url)
            subprocess.run(words, cwd=folder, env=environ, stdin=stdin, check=True)
    ada = json.loads(done(folder, "user", "show", "ada", "--json"))
    assert ada["name"] == "Ada Løvelace"
    assert {role["role"] for role in ada["roles"]} == {"add_documents", "view_documents"}


def test_many_more_than_a_statement_inserts(folder: Path, where: DatabaseUrl) -> None:
    count = bulk_insert.ROWS * 2 + 7
    before = counted(where)
    (folder / "many.jsonl").write_text(people(count))
    assert done(folder, *CREATE, "many.jsonl") == f"Created {count} users.\n"
    assert {table: after - before[table] for table, after in counted(where).items()} == (
        dict.fromkeys(before, count)
    )


def test_one_by_one_and_all_at_once_leave_the_same(run: Run) -> None:
    def made(username: str) -> tuple[dict[str, Any], dict[str, Any]]:
        user = json.loads(run("user", "show", username, "--json")[1])
        (entry,) = json.loads(run("audit", "list", "--user", username, "--json")[1])
        return user, entry

    run("user", "create", "single", "--name", "Same", "--role", "add_documents")
    line = '{"username": "Single", "name": "Same", "roles": ["add_documents"]}'
    single = made("single")
    run("user", "delete", "single", "--yes")
    assert run(*CREATE, "-", "--format", "jsonl", stdin=line) == (0, "Created 1 user.\n", "")
    user = json.loads(run("user", "show", "single", "--json")[1])
    again = json.loads(run("audit", "list", "--user", "single", "--json")[1])[0]
    ours = {"id", "at", "target", "created_at", "updated_at"}
    for one, other in zip(single, (user, again), strict=True):
        assert {k: v for k, v in one.items() if k not in ours} == {
            k: v for k, v in other.items() if k not in ours
        }


# --- What it refuses.


def test_every_bad_line_is_named_with_every_fault(
    run: Run, folder: Path, where: DatabaseUrl
) -> None:
    before = counted(where)
    (folder / "people.csv").write_bytes(
        b"username,email,roles\nada,,\nb b,x,ghost\nADMIN,,\nuser,x,\nada,,\n\xff,,\n"
    )
    assert run(*CREATE, "people.csv", "--json") == run(*CREATE, "people.csv", "--dry-run")
    code, printed, said = run(*CREATE, "people.csv")
    assert (code, printed) == (1, "")
    lines = said.splitlines()
    assert lines[0] == "people.csv: no users were created."
    assert [re.sub(r": (A user name|is not a valid e-mail).*", "", line) for line in lines[1:]] == [
        "  line 3: username",
        "  line 3: email",
        "  line 3: role 'ghost': The role does not exist.",
        "  line 4: username: admin already exists",
        "  line 5: email",
        "  line 5: username: user already exists",
        "  line 6: username: ada is already in line 2",
        "  line 7: is not UTF-8. In Excel, save the file as “CSV UTF-8”",
    ]
    assert counted(where) == before


def test_of_very_many_faults_the_first_are_shown(run: Run, folder: Path) -> None:
    lines = ["{}"] * 70 + ['{"username": "admin"}'] + ['{"username": "x y"}'] * 5000
    (folder / "people.jsonl").write_text("\n".join(lines))
    code, printed, said = run(*CREATE, "people.jsonl")
    assert (code, printed) == (1, "")
    told = said.splitlines()
    assert told[70:72] == [
        "  line 70: username: is required",
        "  line 71: username: admin already exists",
    ]
    assert told[-1] == "  … and 4971 more"
    assert len(told) == 102


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("no.csv",), 2, "File 'no.csv' does not exist"),
        ((".",), 2, "File '.' is a directory"),
        (("people",), 2, "Unknown format of people. Use --format csv or --format jsonl."),
        (("-",), 2, "Unknown format of -. Use --format"),
        (("people", "--format", "xml"), 2, "'xml' is not one of 'csv', 'jsonl'"),
        (
            ("people", "--role", "x"),
            2,
            "With --file, set names, e-mail addresses and roles in the file.",
        ),
        (("people", "ada"), 2, "Use either USERNAME or --file."),
        (("people", "--format", "csv"), 1, "people contains no users."),
        (("/proc/self/mem", "--format", "csv"), 1, "/proc/self/mem cannot be read: Input/output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_no_file_of_users(
    run: Run, folder: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    (folder / "people").write_text("")
    ended = run(*CREATE, *words)
    assert ended[:2] == (code, "")
    assert says in ended[2]


def test_a_name_that_is_taken_meanwhile_is_named(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, where: DatabaseUrl
) -> None:
    before = counted(where)
    (folder / "people.jsonl").write_text(people(3))

    @contextlib.asynccontextmanager
    async def after_another(database: db.Database) -> Any:
        run_sql(
            where,
            "INSERT INTO users (username, created_at, updated_at) VALUES ('new-00001', '', '')",
        )
        async with database.transaction() as tx:
            yield tx

    monkeypatch.setattr("service.cli.database_session.writing", after_another)
    code, printed, said = run(*CREATE, "people.jsonl")
    assert (code, printed) == (1, "")
    assert "  line 2: username: new-00001 already exists\n" in said
    assert counted(where)["audit"] == before["audit"]
    assert counted(where)["users"] == before["users"] + 1


# --- On a terminal, and beside a server.


def test_a_terminal_is_shown_the_progress_and_nobody_else(folder: Path) -> None:
    (folder / "people.jsonl").write_text(people(3_000))
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *CREATE, "people.jsonl", "--json"],
        cwd=folder,
        env=clean_environ(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=inside,
    )
    os.close(inside)
    shown = b""
    with os.fdopen(outside, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while data := terminal.read(4096):  # ends with an error, as terminals do
            shown += data
    printed, _ = process.communicate(timeout=20)
    assert json.loads(printed)["users"] == 3000
    assert b"Checking" in shown
    assert b"Creating" in shown
    assert b"100%" in shown


def test_a_server_beside_goes_on_and_sees_the_new_users_at_once(start: Start) -> None:
    server: Server = start()
    port, token = server.port, sign_in(server.port)
    manager = {**bearer(token), "Content-Type": "application/json"}
    (server.folder / "people.jsonl").write_text(people(20_000))
    statuses: dict[str, set[int]] = {"written": set(), "read": set()}
    with started(server.folder, *CREATE, "people.jsonl", **server.environ) as process:
        number = 0
        while process.poll() is None:
            number += 1
            body = json.dumps({"username": f"beside-{number}"}).encode()
            made = ask(port, "/api/v1/users", "POST", headers=manager, body=body)
            statuses["written"].add(made.status)
            if made.status == 503:
                assert made.code == "database_unavailable"
                assert made["Retry-After"] == "5"
            for path in ("/auth/me", "/auth/verify", "/api/v1/users?q=new-00"):
                statuses["read"].add(ask(port, path, headers=bearer(token)).status)
            sign_in(port, "user")
        printed, said = process.communicate()
    assert (process.returncode, printed, said) == (0, "Created 20000 users.\n", "")
    assert statuses["read"] == {200}
    assert 201 in statuses["written"]
    assert statuses["written"] <= {201, 503}
    found = ask(port, "/api/v1/users?q=new-19999", headers=bearer(token)).json
    assert [user["username"] for user in found] == ["new-19999"]
    assert sign_in(port, "new-00000")


def test_a_file_may_be_a_pipe(folder: Path) -> None:
    fifo = folder / "people.csv"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["sh", "-c", "printf 'username\\nada\\n' > people.csv"], cwd=folder)
    ended = command(folder, *CREATE, "people.csv")
    assert writer.wait(20) == 0
    assert (ended.returncode, ended.stdout) == (0, "Created 1 user.\n"), ended.stderr
