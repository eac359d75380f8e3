"""A newer version migrates the database under an older server, which goes on beside it.

The newer version is this one with one migration more, that adds as migrations here may: columns
with a default in tables that are written to, an index, a table.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.db_tools import migrations, schema_state
from tests.support.api import USERS, Api
from tests.support.client import ask, cookie, sign_in
from tests.support.commands import program
from tests.support.faults import refused_by_all
from tests.support.servers import Start
from tests.support.stores import Store

NAME = "9999.newer"
UP = """
ALTER TABLE users ADD COLUMN newer TEXT NOT NULL DEFAULT 'n';
ALTER TABLE changes ADD COLUMN newer INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN newer INTEGER;
CREATE INDEX newer_users ON users (newer, id);
CREATE TABLE newer (id INTEGER PRIMARY KEY);
"""
DOWN = """
DROP TABLE newer;
DROP INDEX newer_users;
ALTER TABLE audit DROP COLUMN newer;
ALTER TABLE changes DROP COLUMN newer;
ALTER TABLE users DROP COLUMN newer;
"""
OFTEN = 7
"""PostgreSQL's driver prepares a statement when it runs for the fifth time."""


@pytest.fixture
def newer(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the migrations that this process makes be those of the newer version."""
    (tmp_path / "this-version").mkdir()
    store.seeded(tmp_path / "this-version")  # what all databases are copied from
    folder = tmp_path / "migrations"
    shutil.copytree(schema_state.DIRECTORY / store.kind, folder / store.kind)
    (folder / store.kind / f"{NAME}.sql").write_text(UP)
    (folder / store.kind / f"{NAME}.rollback.sql").write_text(DOWN)
    with monkeypatch.context() as patch:
        patch.setattr(schema_state, "DIRECTORY", folder)
        yield


def use(apis: list[Api], prefix: str) -> None:
    """Create users, find them, sign them in and out, on each server; the others know of it."""
    servers = [api.server for api in apis]
    for number in range(OFTEN):
        api, name = apis[number % len(apis)], f"{prefix}-{number}"
        api.create(name)
        for each in apis:
            assert [user["username"] for user in each(f"{USERS}?q={name}").json] == [name]
        token = sign_in(api.server.port, name)
        assert ask(api.server.port, "/auth/logout", "POST", headers=cookie(token)).status == 302
        refused_by_all(servers, token)


@pytest.mark.usefixtures("newer")
def test_an_older_server_goes_on_beside_a_newer_schema(start: Start) -> None:
    running = start()
    api = Api(running)
    use([api], "before")
    assert migrations.up(running.database) == [NAME]
    use([api], "under-it")
    starting = start(beside=running)
    use([api, Api(starting)], "beside")
    assert f" database_is_newer migrations={NAME}" in starting.log()
    assert "Traceback" not in running.log() + starting.log()


@pytest.mark.usefixtures("newer")
def test_the_commands_of_an_older_version_say_that_the_schema_is_newer(start: Start) -> None:
    server = start()
    folder = server.folder
    migrations.up(server.database)
    up = program(folder, "migrate", "up")
    assert up.stdout.endswith(f" is up to date. A newer version has added {NAME}.\n")
    status = program(folder, "migrate", "status")
    assert (status.returncode, NAME in status.stdout) == (0, True)
    assert f"a newer version has added {NAME}" in program(folder, "db", "check").stdout
    assert program(folder, "user", "create", "by-command").returncode == 0


@pytest.mark.usefixtures("newer")
def test_an_older_version_takes_nothing_back_that_a_newer_schema_rests_on(start: Start) -> None:
    server = start()
    where = server.database
    migrations.up(where)
    before = schema_state.status(where)
    down = program(server.folder, "migrate", "down", "--yes")
    assert down.returncode == 1
    assert f"A newer version applied {NAME} to the database" in down.stderr
    assert schema_state.status(where) == before
    assert migrations.down(where) == [NAME]
