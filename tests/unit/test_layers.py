"""The layout of docs/architecture.md, held by reading the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.support.environment import ROOT, SECRET, clean_environ

LAYERS = (
    {"service", "errors"},
    {"parsing", "limits"},
    {"telemetry"},
    {"system"},
    {"config"},
    {"db"},
    {"keys", "audit", "db_tools"},
    {"tokens"},
    {"revocation"},
    {"users"},
    {"credentials"},
    {"schemas", "providers"},
    {"web"},
    {"session", "forward_auth"},
    {"endpoints", "login", "middleware", "housekeeping"},
    {"app"},
    {"fake_provider"},
    {"server"},
    {"cli"},
    {"__main__"},
)
"""A file imports only from layers above its own in this list, and from its own folder."""

WITH_HTTP = {
    *{"web", "session", "forward_auth", "endpoints", "login", "middleware", "housekeeping"},
    *{"app", "fake_provider", "server", "cli", "__main__", "service.providers.http_client"},
}
DRIVERS = {"sqlite3", "aiosqlite", "psycopg"}
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "service").rglob("*.py"))
}


def room(module: str) -> str:
    """Return the name under which LAYERS has a module: its own, or that of its folder."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else parts[0]


def statements(path: Path) -> Iterator[tuple[ast.stmt, list[str]]]:
    """Yield every import of a file, with the modules that it may name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield node, [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node, [f"{node.module}.{alias.name}" for alias in node.names]


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, ours as they are called in MODULES."""
    for _, names in statements(path):
        for name in names:
            yield name if name in MODULES else name.rpartition(".")[0] or name


def lines_for_types(path: Path) -> set[int]:
    """Return the lines of what only a type checker imports: `if TYPE_CHECKING:` at the top."""
    return {
        statement.lineno
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
    }


def test_every_room_has_a_layer() -> None:
    assert {room(module) for module in MODULES} == LEVEL.keys()


def test_imports_point_down() -> None:
    assert not [
        (module, imported)
        for module, path in MODULES.items()
        for imported in imports(path)
        if imported in MODULES
        and (here := room(module)) != (there := room(imported))
        and LEVEL[there] >= LEVEL[here]
    ]


def test_no_imports_go_round_in_a_circle() -> None:
    graph = {
        module: {name for name in imports(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from error


def test_the_lower_layers_know_no_http() -> None:
    assert not [
        module
        for module, path in MODULES.items()
        if not {room(module), module} & WITH_HTTP
        and any(name.split(".")[0] == "aiohttp" for name in imports(path))
    ]


def test_only_db_imports_a_driver_and_only_config_reads_the_environment() -> None:
    offenders = [
        module
        for module, path in MODULES.items()
        if (room(module) != "db" and {name.split(".")[0] for name in imports(path)} & DRIVERS)
        or (
            room(module) != "config"
            and any(word in path.read_text() for word in ("os.environ", "getenv"))
        )
    ]
    assert not offenders


def test_requests_write_through_the_one_helper_that_applies_what_they_take_back() -> None:
    helpers = {"service.web.context", "service.housekeeping", "service.cli.database_session"}
    assert not [
        module
        for module, path in MODULES.items()
        if room(module) in WITH_HTTP
        and module not in helpers
        and ".transaction()" in path.read_text()
    ]


def test_imports_stand_at_the_top() -> None:
    assert not [
        f"{module}:{statement.lineno}"
        for module, path in MODULES.items()
        for statement, _ in statements(path)
        if statement.col_offset != 0 and statement.lineno not in lines_for_types(path)
    ]


def test_a_server_without_providers_loads_no_library_that_it_does_not_need() -> None:
    """Each takes memory and time, at every start and of every command."""
    program = (
        "import pathlib, sys; from service.cli import serve; from service.app import create_app;"
        " from service import config;"
        " create_app(config.load({'ENVIRONMENT': 'test', 'JWT_SECRET_KEY': '" + SECRET + "'},"
        " pathlib.Path('no.env')));"
        " print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={  # without coverage, which loads libraries of its own
            name: value
            for name, value in clean_environ(PYTHONPATH=str(ROOT)).items()
            if not name.startswith("COVERAGE")
        },
        capture_output=True,
        text=True,
        check=True,
    )
    unused = {"authlib", "joserfc", "psycopg", "yoyo", "yaml", "jinja2", "pydantic", "tabulate"}
    unused |= {"defusedxml", "prometheus_client", "multiprocessing"}
    assert not unused & set(done.stdout.split())


def test_no_file_outgrows_its_sentence() -> None:
    assert not [
        module
        for module, path in MODULES.items()
        if path.read_text().count("\n") > 250 or not ast.get_docstring(ast.parse(path.read_text()))
    ]
