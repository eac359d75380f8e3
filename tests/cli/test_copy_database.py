"""Copies into another database: everything is copied, both ways, or nothing."""

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import db, users
from service.config import DatabaseUrl
from service.credentials import passkeys
from service.credentials.passkeys import NewPasskey
from service.db import ConstraintError
from service.db_tools import copy_database, schema_state
from service.errors import Fault
from service.providers import recent_logouts
from tests.support import people
from tests.support.client import ask, bearer, cookie, sign_in
from tests.support.commands import Run, command, message
from tests.support.environment import clean_environ
from tests.support.servers import Running
from tests.support.stores import ON_SQLITE, Databases, Files, Store, run_sql, writing

PAIRS = list(itertools.product(("sqlite", "postgresql"), repeat=2))
NAMES = ("Élodie", "王小明", "\U0001f600", 'o\'Neil "x" \\ %s ? $1', "\ufffd", "e\u0301", "\t")


@pytest.fixture
def stores(files: Files, databases: Databases) -> dict[str, Store]:
    """Return both stores by their names."""
    return {"sqlite": files, "postgresql": databases}


@pytest.fixture(params=PAIRS, ids=" to ".join)
def pair(
    request: pytest.FixtureRequest, stores: dict[str, Store], tmp_path: Path
) -> Iterator[tuple[DatabaseUrl, DatabaseUrl]]:
    """Yield a database with users, and an empty one."""
    kinds: tuple[str, str] = request.param
    made = []
    for name, kind in zip(("source", "target"), kinds, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        store = stores[kind]
        made.append(store.seeded(folder) if name == "source" else store.empty(folder))
    yield made[0], made[1]
    for where in made:
        if where.path is None:
            databases = stores["postgresql"]
            assert isinstance(databases, Databases)
            databases.drop(where)


PASSKEY = NewPasskey(
    user_handle="AA",
    credential_id="id",
    public_key="key",
    sign_count=2**32 - 1,
    backup_eligible=True,
    backed_up=False,
    aaguid="",
    transports=("usb", "nfc"),
)


async def fill(where: DatabaseUrl) -> None:
    """Let there be odd names, gone users, and rows in every table."""
    async with db.connect(where) as database:
        async with database.transaction() as tx:
            for number, name in enumerate(NAMES):
                await users.create(tx, people.BY, f"odd-{number}", ["add_documents"], name=name)
            await users.create(tx, people.BY, "gone")
            await tx.execute("INSERT INTO token_lifetimes (seconds, until) VALUES (60, NULL)")
            await tx.execute("INSERT INTO revocation_state VALUES (1, 2, 3, 4)")
            await tx.execute("INSERT INTO passwords VALUES (1, 'phc', 'then')")
            await tx.execute("INSERT INTO attempt_limits VALUES ('account', 'b', 1, 6, 0, 9)")
            await tx.execute("INSERT INTO totp VALUES (1, 'SECRET', 7, 'then')")
            await tx.execute("INSERT INTO totp_setups VALUES (1, 'OTHER', 9)")
            await tx.execute("INSERT INTO recovery_codes VALUES (1, 'b'), (1, 'B')")
            for purpose in ("open", "claim"):
                await tx.execute(
                    "INSERT INTO links"
                    " (hash, purpose, created_by, created_at, expires_at, uses, used)"
                    " VALUES (?, ?, 1, '', 9, 2, 1)",
                    (f"hash of {purpose}", purpose),
                )
            await tx.execute("INSERT INTO link_roles VALUES (1, 1)")
            await tx.execute("INSERT INTO used_challenges VALUES ('hash', 5)")
            await passkeys.add(tx, people.BY, await users.get_by_id(tx, 1), PASSKEY)
            for provider in ("cas", "oidc", "Oidc"):  # in the order of bytes
                account = (provider, "Ada", 1)
                await tx.execute("INSERT INTO identities VALUES (?, ?, ?, '')", account)
                await tx.execute("INSERT INTO provider_issuers VALUES (?, ?)", account[:2])
                await tx.execute("INSERT INTO logout_tokens VALUES (?, ?, ?)", account)
                await tx.execute("INSERT INTO used_answers VALUES (?, ?, ?)", account)
                await recent_logouts.remember(tx, provider, handle="handle")
                await tx.execute(
                    "INSERT INTO provider_sessions (provider, subject, user_id, sid, handle, hint,"
                    " until) VALUES (?, ?, ?, ?, NULL, '', 1)",
                    (*account, f"sid-{provider}"),
                )
        async with database.transaction() as tx:
            await people.delete(tx, "gone")
            await people.rename(tx, "odd-0", "renamed")


def everything(where: DatabaseUrl) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    found = {}
    for table, key in copy_database.TABLES.items():
        columns = ", ".join(columns_of(where, table))
        found[table] = run_sql(where, f"SELECT {columns} FROM {table} ORDER BY {', '.join(key)}")  # noqa: S608
    return found


def columns_of(where: DatabaseUrl, table: str) -> list[str]:
    """Return the names of a table's columns, sorted."""
    if where.path is None:
        sql = "SELECT column_name FROM information_schema.columns WHERE table_name = ?"
    else:
        sql = "SELECT name FROM pragma_table_info(?)"
    return sorted(name for (name,) in run_sql(where, sql, table))


def test_every_table_is_known_in_an_order_in_which_rows_can_be_copied(where: DatabaseUrl) -> None:
    """A migration that makes a table has to name it in copying.TABLES, or moving would lose it."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if where.path is None:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    foreign = ("_yoyo", "yoyo", "sqlite_", "user_search")
    found = {name for (name,) in run_sql(where, sql) if not name.startswith(foreign)}
    assert found == set(copy_database.TABLES)
    for table, key in copy_database.TABLES.items():
        assert set(key) <= set(columns_of(where, table))


async def test_everything_is_copied_and_goes_on_as_it_was(
    pair: tuple[DatabaseUrl, DatabaseUrl],
) -> None:
    source, target = pair
    await fill(source)
    before = everything(source)
    assert all(before.values())
    passed: list[int] = []
    copied = copy_database.copy(source, target, passed.append)
    assert everything(source) == everything(target) == before
    assert {each.table: each.rows for each in copied} == {
        table: len(rows) for table, rows in before.items()
    }
    assert sum(passed) == sum(each.rows for each in copied) == copy_database.count(source)
    async with db.connect(target) as database:
        found, _ = await users.page(database, users.Query(q="élod"))
        assert [user["username"] for user in found] == ["renamed"]
        async with database.transaction() as tx:  # numbers of those who are gone are not used again
            new = await users.create(tx, people.BY, "new")
        assert new["id"] == len(before["users"]) + 2
        with pytest.raises(ConstraintError):
            async with database.transaction() as tx:
                await tx.execute("DELETE FROM audit")


def test_a_dry_run_says_the_same_and_changes_nothing(
    pair: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path
) -> None:
    source, target = pair
    words = ("db", "copy", "--to", target.url)
    dry = command(tmp_path, *words, "--dry-run", "--json", DATABASE_URL=source.url)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert all(applied_at is None for _, applied_at in schema_state.status(target))
    real = command(tmp_path, *words, "--json", DATABASE_URL=source.url)
    assert (real.returncode, real.stderr) == (0, "")
    would, did = json.loads(dry.stdout), json.loads(real.stdout)
    assert (would["changed"], did["changed"]) == (False, True)
    assert would["tables"] == did["tables"]
    assert {row["table"]: row["rows"] for row in did["tables"]}["users"] == 4
    again = command(tmp_path, *words, "--from", source.url)
    assert (again.returncode, again.stdout) == (1, "")
    assert message(again) == (
        f"The database {target} is not empty: users has 4 row(s). Use an empty database."
        " Nothing was changed.\n"
    )


def test_what_is_changed_on_the_way_is_noticed_and_nothing_is_kept(
    pair: tuple[DatabaseUrl, DatabaseUrl], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = pair
    insert = copy_database.Endpoint.insert

    def forget_one(
        side: copy_database.Endpoint, table: str, columns: object, rows: list[object]
    ) -> None:
        insert(side, table, columns, rows[1:] if table == "audit" else rows)  # type: ignore[arg-type]

    monkeypatch.setattr(copy_database.Endpoint, "insert", forget_one)
    with pytest.raises(Fault, match=r"audit.*Nothing was changed\.$"):
        copy_database.copy(source, target)
    assert not any(everything(target).values())
    monkeypatch.undo()
    copy_database.copy(source, target)
    assert everything(source) == everything(target)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_is_stopped_in_the_middle_leaves_an_empty_database(
    stores: dict[str, Store], tmp_path: Path, number: signal.Signals
) -> None:
    source, target = stores["sqlite"].seeded(tmp_path), stores["postgresql"].empty(tmp_path)
    run_sql(
        source,
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60000)"
        " INSERT INTO users (username, search, created_at, updated_at)"
        " SELECT 'n-' || n, 'n-' || n || char(10) || char(10), '', '' FROM n",
    )
    words = ["db", "copy", "--from", source.url, "--to", target.url]
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "service", *words],
        cwd=tmp_path,
        env=clean_environ(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        copies = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'INSERT INTO users%'"
        )
        deadline = time.monotonic() + 60
        while not run_sql(target, copies)[0][0]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    with writing(target):  # waits until the server has noticed
        assert not any(everything(target).values())


def test_nobody_writes_while_it_is_copied(pair: tuple[DatabaseUrl, DatabaseUrl]) -> None:
    source, target = pair
    with writing(source) as let_go:
        written = "INSERT INTO roles (role) VALUES ('late')"
        later = threading.Timer(0.5, lambda: (let_go(), run_sql(source, written)))
        began = time.perf_counter()
        later.start()
        copy_database.copy(source, target)
        later.join()
    assert time.perf_counter() - began > 0.5
    rows = [dict(everything(where)) for where in pair]
    for found in rows:
        found["roles"] = [row for row in found["roles"] if "late" not in row]
    assert rows[0] == rows[1]


def test_a_server_goes_on_where_the_other_stopped(
    running: Running, files: Files, databases: Databases, tmp_path: Path
) -> None:
    """Sessions stay, and those that were ended stay so."""
    old = running.start(files)
    good, out = sign_in(old.port), sign_in(old.port)
    ask(old.port, "/auth/logout", "POST", headers=cookie(out))
    old.stop()
    target = databases.empty(tmp_path)
    done = old.cli("db", "copy", "--from", old.database.url, "--to", target.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Copied and compared ")
    assert f" rows: {old.database} to {target}." in done.stdout
    new = running.start(files, beside=old, DATABASE_URL=target.url, PUBLIC_URL=old.url)
    assert [ask(new.port, "/auth/me", headers=bearer(each)).status for each in (good, out)] == [
        200,
        401,
    ]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "Missing option '--to'"),
        (("--to", "mysql://x/y"), 2, "must be sqlite:///data/latchkey.db"),
        (
            ("--to", "sqlite:///data/latchkey.db"),
            1,
            "Source and target are the same database, data/latchkey.db.",
        ),
        (
            ("--from", "sqlite:///no.db", "--to", "sqlite:///new.db"),
            1,
            "The database no.db does not exist.",
        ),
        (("--to", "postgresql://x:s3cret@127.0.0.1:1/y"), 1, "onnection refused"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
@ON_SQLITE
def test_what_cannot_be_copied(run: Run, words: tuple[str, ...], code: int, says: str) -> None:
    ended = run("db", "copy", *words)
    assert ended[:2] == (code, "")
    assert says in ended[2]
    assert "s3cret" not in ended[2]


def test_a_password_stands_in_a_file_or_in_the_environment(
    pair: tuple[DatabaseUrl, DatabaseUrl], tmp_path: Path
) -> None:
    source, target = pair
    for name, where in (("from", source), ("to", target)):
        (tmp_path / name).write_text(f"{where.url}\n")
    for words, settings in (
        (("--from-file", "from", "--to-file", "to"), {}),
        (("--to-file", "to"), {"DATABASE_URL_FILE": "from"}),
        ((), {"DB_COPY_FROM": source.url, "DB_COPY_TO": target.url}),
        ((), {"DB_COPY_FROM_FILE": "from", "DB_COPY_TO_FILE": "to"}),
        (("--from-file", "from"), {"DB_COPY_TO": target.url}),
    ):
        done = command(tmp_path, "db", "copy", *words, "--dry-run", "--json", **settings)
        assert (done.returncode, done.stderr) == (0, "")
        tables = {row["table"]: row["rows"] for row in json.loads(done.stdout)["tables"]}
        assert tables["users"] == 4


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (("--to-file", "no"), {}, "must be the path of a readable text file"),
        (("--to-file", "."), {}, "must be the path of a readable text file"),
        (("--to-file", "empty"), {}, "names an empty file"),
        (("--to-file", "bad"), {}, "has an invalid percent escape"),
        (("--from-file", "bad", "--to", "sqlite:///x.db"), {}, "has an invalid percent escape"),
        (("--to-file", "good", "--to", "sqlite:///x.db"), {}, "'--to' or '--to-file', not both"),
        (("--to-file", "good"), {"DB_COPY_TO": "sqlite:///x.db"}, "not both"),
        (("--to", "sqlite:///x.db", "--from", "sqlite:///y.db", "--from-file", "good"), {}, "both"),
        ((), {"DB_COPY_TO": "postgresql://a:s3cret%@h/n"}, "has an invalid percent escape"),
        ((), {"DB_COPY_TO": ""}, "Missing option '--to'"),
    ],
)
@ON_SQLITE
def test_a_file_that_holds_no_address_is_named_without_its_contents(
    run: Run, folder: Path, words: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    for name, text in (
        ("empty", ""),
        ("bad", "postgresql://a:s3cret%@h/n"),
        ("good", "sqlite:///g"),
    ):
        (folder / name).write_text(text)
    code, out, err = run("db", "copy", *words, **settings)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())
    assert "s3cret" not in err


@ON_SQLITE
def test_the_help_of_copy_names_every_form(run: Run) -> None:
    _, out, _ = run("db", "copy", "--help")
    for name in ("--from-file", "--to-file", "DB_COPY_FROM", "DB_COPY_TO_FILE"):
        assert name in out
