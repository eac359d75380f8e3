"""Which tests run, in which order and on which databases; the fixtures are in support/."""

import os
from pathlib import Path

import pytest

from service import config
from tests.support.environment import SECRET, Settings
from tests.support.stores import KINDS
from tests.support.thoroughness import EVERYTHING, REQUIRE_ALL

pytest_plugins = (
    "tests.support.commands",
    "tests.support.servers",
    "tests.support.databases",
    "tests.support.fake",
    "tests.support.keyfiles",
    "tests.support.sso",
    "tests.support.verifiers",
    "tests.support.worlds",
)

LONGEST_FIRST = (
    "process/framing",
    "process/fuzz",
    "process/proxy_paths",
    "process/revocation",
    "process/clients_feed",
    "http/oidc_outages",
    "http/oidc_sign_out",
    "process/purpose",
    "process/purpose_docs",
    "process/proxy_hosts",
    "process/admission",
    "cli/keys",
    "http/cas_outages",
    "cli/import_users_interrupted",
    "cli/import_users",
    "process/faults_postgresql",
    "cli/cli",
    "process/supervisor",
    "process/clients_keys",
    "process/key_watcher",
    "cli/identities",
    "cli/copy_database",
    "process/clients",
    "http/counts_once",
    "http/lifetimes",
    "browser/admin",
    "process/proxies",
    "process/proxies_requests",
    "process/proxies_latchkey",
    "process/run",
    "process/crashes",
)
"""Files that take minutes, by the sum of their tests."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something, where everything is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "both_stores: on both databases, also where one is enough")


def pytest_report_header() -> str:
    """Say how much is tried."""
    if EVERYTHING:
        return "everything: each test of a store on SQLite and PostgreSQL, all examples"
    return "http/, cli/: SQLite, concurrency on PostgreSQL too; fewer examples (all: make check)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: at the end each would have the machine for itself."""
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}

    def place(item: pytest.Item) -> int:
        name = f"{item.path.parent.name}/{item.path.stem.removeprefix('test_')}"
        return order.get(name, len(order))

    items.sort(key=place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a store on both kinds, or on those that its file names in STORES.

    A journey over HTTP or a command runs on SQLite alone, if it is not marked and not everything is
    asked for: what databases have in common is tested where they are.
    """
    marks = metafunc.definition.iter_markers("parametrize")
    if "store" in metafunc.fixturenames and not any("store" in mark.args[0] for mark in marks):
        kinds = getattr(metafunc.module, "STORES", KINDS)
        tier = Path(str(metafunc.module.__file__)).parent.name
        is_marked = metafunc.definition.get_closest_marker("both_stores") is not None
        if tier in {"http", "cli"} and not is_marked and not EVERYTHING:
            kinds = kinds[:1]
        metafunc.parametrize("store", kinds, indirect=True, scope="session")


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Return what makes a Config: development, bypass on, unless said otherwise.

    Its database is that of the test, if the test has one.
    """
    url = f"sqlite:///{tmp_path}/latchkey.db"
    if "where" in request.fixturenames:
        url = request.getfixturevalue("where").url

    def make(**changes: str) -> config.Config:
        base = {
            "ENVIRONMENT": "test",
            "JWT_SECRET_KEY": SECRET,
            "BYPASS_AUTH": "true",
            "DATABASE_URL": url,
        }
        return config.load({**base, **changes}, tmp_path / "no.env")

    return make
