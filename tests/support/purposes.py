"""Servers that sign by each algorithm, and their documents."""

from collections.abc import Callable

import pytest

from service import config
from tests.support.documents import Documents, made
from tests.support.environment import ROOT, SECRET
from tests.support.keyfiles import key
from tests.support.servers import Start

ALGORITHMS = ("HS256", "EdDSA", "ES256", "RS256")


@pytest.fixture(scope="module", params=ALGORITHMS)
def documents(
    request: pytest.FixtureRequest, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Documents:
    """Return the documents of a server that signs by an algorithm."""
    environ = {"JWT_ALGORITHM": request.param, "TRUSTED_PROXIES": "127.0.0.1"}
    environ["CAS_URL"] = "https://cas.example.org"
    if request.param != "HS256":
        path = tmp_path_factory.mktemp("keys") / "keys.json"
        key(path, "generate", JWT_ALGORITHM=request.param)
        environ |= {"JWT_KEYS_FILE": str(path), "JWT_SECRET_KEY": ""}
    server = start(**environ)
    read = {"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, **server.environ}
    return made(server, config.load(read, ROOT / "no.env"))


@pytest.fixture
def algorithm(documents: Documents) -> str:
    """Return how the server signs."""
    return documents.server.environ["JWT_ALGORITHM"]


def assert_only(documents: Documents, kind: str, accepted: list[bool]) -> None:
    """Assert that of all documents just the one of a kind was accepted."""
    found = {name for name, good in zip(documents.texts, accepted, strict=True) if good}
    assert found == {kind}


def tried(documents: Documents, accepts: Callable[[str], bool]) -> list[bool]:
    """Ask about every document."""
    return [accepts(text) for text in documents.texts.values()]
