"""Backups: a copy of a file that is written to is whole, and PostgreSQL has its own program."""

import itertools
import json
import threading

import pytest

from service.config import DatabaseUrl
from tests.support.client import ask, bearer, sign_in
from tests.support.commands import Run, message
from tests.support.servers import Start
from tests.support.stores import ON_POSTGRESQL, ON_SQLITE, database_at, run_sql


@ON_SQLITE
def test_a_backup_of_a_file_that_is_written_to_is_whole(start: Start) -> None:
    server = start()
    token, over = sign_in(server.port), threading.Event()
    made: list[str] = []

    def create() -> None:
        headers = {**bearer(token), "Content-Type": "application/json"}
        for number in itertools.count():
            if over.is_set():
                return
            body = json.dumps({"username": f"made-{number}"}).encode()
            answer = ask(server.port, "/api/v1/users", "POST", headers=headers, body=body)
            assert answer.status == 201, answer.text
            made.append(answer.json["username"])

    writer = threading.Thread(target=create)
    writer.start()
    try:
        for number in range(3):
            before = list(made)
            done = server.cli("db", "backup", f"copy-{number}.db", "--json")
            assert (done.returncode, done.stderr) == (0, "")
            path = server.folder / f"copy-{number}.db"
            assert json.loads(done.stdout)["bytes"] == path.stat().st_size
            assert path.stat().st_mode & 0o777 == 0o600
            copy = database_at(f"sqlite:///{path}")
            kept = {name for (name,) in run_sql(copy, "SELECT username FROM users")}
            assert set(before) <= kept
            audited = {
                name
                for (name,) in run_sql(copy, "SELECT target FROM audit WHERE target LIKE 'made-%'")
            }
            assert audited == {name for name in kept if name.startswith("made-")}
            checked = server.cli("db", "check")
    finally:
        over.set()
        writer.join(20)
    assert made
    assert not list(server.folder.glob(".copy*"))
    again = server.cli("db", "backup", "copy-0.db")
    assert (again.returncode, message(again)) == (
        1,
        "copy-0.db already exists. Use the path of a new file.\n",
    )
    nowhere = server.cli("db", "backup", "no/where.db")
    message(nowhere)
    assert nowhere.stderr.startswith("no/where.db cannot be written: No such file")
    assert checked.returncode == 0


@ON_POSTGRESQL
def test_postgresql_is_saved_by_its_own_program(run: Run, where: DatabaseUrl) -> None:
    code, printed, said = run("db", "backup", "copy.dump")
    assert (code, printed) == (1, "")
    assert "pg_dump --format=custom --file=copy.dump" in said
    assert where.safe_url in said


def test_the_command_for_it_keeps_the_options_and_not_the_password(run: Run) -> None:
    address = "postgresql://ada:s3cret@db.example.org/users?sslmode=verify-full&sslrootcert=system"
    code, _, said = run("db", "backup", "copy.dump", DATABASE_URL=address)
    assert code == 1
    assert f"'{address.replace(':s3cret', '')}'" in said


@ON_SQLITE
@pytest.mark.parametrize("name", [".", "/", ""])
def test_a_folder_is_no_file_to_save_to(run: Run, name: str) -> None:
    code, printed, said = run("db", "backup", name)
    assert (code, printed) == (1, "")
    assert "is a folder. Use the path of a new file." in said
