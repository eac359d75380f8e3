"""The layout of docs/architecture.md, held by reading the imports."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = {
    "service": 0,
    "accept": 0,
    "claim_values": 0,
    "exposure": 0,
    "folding": 0,
    "freshness": 0,
    "inserts": 0,
    "log_output": 0,
    "logs": 1,
    "ownership": 0,
    "peers": 0,
    "stopwatch": 0,
    "strict_form": 0,
    "strict_json": 0,
    "strict_xml": 0,
    "urls": 0,
    "views": 0,
    "wellformed": 0,
    "errors": 0,
    "config": 1,
    "board": 0,
    "door": 0,
    "listeners": 2,
    "media": 1,
    "metrics": 2,
    "cookies": 2,
    "jws": 2,
    "db": 2,
    "keys": 3,
    "openapi": 3,
    "openid": 3,
    "schema": 3,
    "answers": 3,
    "audit": 3,
    "copying": 4,
    "soundness": 5,
    "changes": 3,
    "clocks": 2,
    "keywatch": 4,
    "sealed": 4,
    "users": 4,
    "tokens": 4,
    "assertions": 5,
    "bodies": 5,
    "forwarding": 5,
    "identities": 5,
    "identity_headers": 5,
    "logouts": 4,
    "provider_logouts": 4,
    "provider_sessions": 4,
    "providers": 5,
    "returns": 5,
    "seeds": 5,
    "revocation": 6,
    "revoked": 5,
    "housekeeping": 7,
    "cas": 6,
    "outbound": 6,
    "repeated": 6,
    "passes": 7,
    "marks": 7,
    "context": 8,
    "session": 9,
    "endpoints": 10,
    "login": 10,
    "middleware": 10,
    "app": 11,
    "framing": 11,
    "refused_requests": 6,
    "connection": 12,
    "bounds": 0,
    "connections": 9,
    "watched": 10,
    "parts": 0,
    "pacing": 1,
    "bounded": 0,
    "chunks": 0,
    "descriptors": 0,
    "readiness": 4,
    "documents": 2,
    "large": 6,
    "idp": 12,
    "server": 13,
    "workers": 14,
    "cli": 15,
    "__main__": 16,
}
"""A file imports only files of lower numbers."""

HIGHEST_WITHOUT_HTTP = 5
DRIVERS = {"sqlite3", "aiosqlite", "psycopg"}
FILES = sorted((ROOT / "service").rglob("*.py"))


def room(path: Path) -> str:
    """Return the name under which LAYERS knows a file: its own, or that of its folder."""
    first = path.relative_to(ROOT / "service").parts[0]
    return "service" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> list[tuple[str, ast.stmt]]:
    """Return every module that a file imports, with the statement."""
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = str(node.module)
            names = [f"{module}.{alias.name}" for alias in node.names]
            found += [(name, node) for name in (names if module == "service" else [module])]
    return found


def name(path: Path) -> str:
    """Return the path of a file for people."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    for module, _ in imports(path):
        if not module.startswith("service"):
            continue
        _, _, rest = module.partition(".")
        there = rest.partition(".")[0] or "service"
        there = there if there in LAYERS else "service"
        assert there == here or LAYERS[there] < LAYERS[here], f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_the_lower_layers_know_no_http(path: Path) -> None:
    if LAYERS[room(path)] <= HIGHEST_WITHOUT_HTTP:
        assert not any(module.split(".")[0] == "aiohttp" for module, _ in imports(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_db_imports_a_driver_and_only_config_reads_the_environment(path: Path) -> None:
    modules = {module.split(".")[0] for module, _ in imports(path)}
    assert room(path) == "db" or not modules & DRIVERS
    reads = "os.environ" in path.read_text() or "getenv" in path.read_text()
    assert room(path) == "config" or not reads


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_stand_at_the_top(path: Path) -> None:
    assert all(statement.col_offset == 0 for _, statement in imports(path))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_outgrows_its_sentence(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 250
    assert ast.get_docstring(ast.parse(text))


def test_every_room_has_a_number() -> None:
    assert {room(path) for path in FILES} == LAYERS.keys()
