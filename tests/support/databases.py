"""The fixtures of databases: which kinds a test runs on, and one for each test."""

import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service import config, db
from service.db import Database
from tests.support.commands import command
from tests.support.environment import ROOT, free_port
from tests.support.postgresql import Cluster
from tests.support.stores import Databases, Files, Store


@pytest.fixture
async def database(where: config.DatabaseUrl) -> AsyncIterator[Database]:
    """Yield an open database with the demo users."""
    async with db.connect(where) as opened:
        yield opened


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield a server that the tests of this process share: databases come and go in it."""
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest) -> Store:
    """Return where databases come from."""
    found: Store = request.getfixturevalue("files" if request.param == "sqlite" else "databases")
    return found


@pytest.fixture
def where(store: Store, tmp_path: Path) -> Iterator[config.DatabaseUrl]:
    """Yield a database with the demo users, for one test."""
    if isinstance(store, Databases):
        with store.lent(tmp_path) as lent:
            yield lent
    else:
        yield store.seeded(tmp_path)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the store of SQLite."""
    return Files(functools.cache(lambda: seeded_pattern(tmp_path_factory.mktemp("seeded"))))


@pytest.fixture(scope="session")
def seeded(files: Files) -> Path:
    """Return a SQLite file with the demo users, to copy."""
    return files.pattern() / "data" / "latchkey.db"


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Databases:
    """Return the store of PostgreSQL."""
    return databases_on(cluster, tmp_path_factory.mktemp("seeded"))


@pytest.fixture(scope="session")
def durable() -> Iterator[Cluster]:
    """Yield a server that keeps what it acknowledged, and that the tests here may break."""
    made = Cluster(durable=True, port=free_port())
    yield made
    made.remove()


@pytest.fixture(scope="session")
def durable_databases(tmp_path_factory: pytest.TempPathFactory, durable: Cluster) -> Databases:
    """Return the store of PostgreSQL that may be broken."""
    return databases_on(durable, tmp_path_factory.mktemp("seeded"))


def databases_on(cluster: Cluster, folder: Path) -> Databases:
    """Return what makes databases on a server; the pattern of them is made in a folder."""

    @functools.cache
    def pattern() -> Path:
        made.empty(folder)
        return seeded_pattern(folder)

    made = Databases(cluster, pattern)
    return made


def seeded_pattern(folder: Path) -> Path:
    """Make a database with the demo users, as a user makes it; tests and servers get copies."""
    with (folder / ".env").open("a") as file:
        file.write((ROOT / ".env.test").read_text())
    for step in (("migrate", "up"), ("seed",)):
        done = command(folder, *step)
        assert done.returncode == 0, done.stderr
    return folder
