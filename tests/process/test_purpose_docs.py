"""One key for each purpose: the code of the documentation takes documents of its kind alone."""

import hmac
import subprocess
import time

import jwt
import pytest

from tests.support.derived import assertion_key, feed_key
from tests.support.documents import APP, ASSERTION_TYPE, FEED_TYPE, Documents
from tests.support.environment import SECRET
from tests.support.issuer import compact
from tests.support.purposes import algorithm, assert_only, documents, tried
from tests.support.snippets import LIBRARIES, Snippet, World, block, blocks
from tests.support.verifiers import Node

__all__ = ["algorithm", "documents"]

STORES = ("sqlite",)  # no store has a part in this
ISSUER = "http://localhost:1"
PAGES = {
    "session": ("docs/verifying.md", "claims_of"),
    "feed": ("docs/revocation.md", "read_feed"),
    "assertion": ("docs/forward-auth.md", "user_of"),
}


@pytest.fixture(scope="module")
def libraries(node: Node) -> Node:
    """Return a node that has jsonwebtoken and jwks-rsa too."""
    done = subprocess.run(
        [
            *("npm", "install", "--no-save", "--no-audit", "--no-fund", "--no-package-lock"),
            *("jose@^6", "jsonwebtoken@^9", "jwks-rsa@^4"),
        ],
        cwd=node.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"jsonwebtoken cannot be installed: {done.stderr.strip()[-200:]}")
    return node


@pytest.fixture
def world(documents: Documents, request: pytest.FixtureRequest) -> World:
    """Return where the code of the documentation runs."""
    is_shared = documents.server.environ["JWT_ALGORITHM"] == "HS256"
    secrets = {
        "LATCHKEY_SECRET": SECRET,
        "LATCHKEY_FEED_KEY": feed_key(SECRET).hex(),
        "LATCHKEY_ASSERTION_KEY": assertion_key(SECRET).hex(),
    }
    return World(
        documents.server.url,
        secrets if is_shared else {},
        lambda: node_of(request),
    )


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", PAGES)
def test_the_code_of_the_documentation_takes_its_kind_alone(
    documents: Documents, world: World, algorithm: str, kind: str, library: str
) -> None:
    path, name = PAGES[kind]
    accepted = Snippet(library, path, name).accepts(world, [*documents.texts.values()])
    if (library, algorithm) == ("jsonwebtoken", "EdDSA"):
        assert not any(accepted)  # as the page says, it does not know it
    else:
        assert_only(documents, kind, accepted)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", PAGES)
def test_the_code_of_the_documentation_takes_nothing_by_a_key_that_is_none(
    request: pytest.FixtureRequest, kind: str, library: str
) -> None:
    """A variable that is empty or damaged must not become a key that everybody knows."""
    path, name = PAGES[kind]
    snippet = Snippet(library, path, name)

    def taken(value: str, secret: bytes) -> list[bool]:
        text = document(kind, secret)
        environ = {f"LATCHKEY_{each}": value for each in ("SECRET", "FEED_KEY", "ASSERTION_KEY")}
        world = World(environ=environ, issuer=ISSUER, node=lambda: node_of(request))
        return snippet.accepts(world, [text], may_fail=True)

    good = "ab" * 32
    key = good.encode() if kind == "session" else bytes.fromhex(good)
    assert taken(good, key) == [True]
    damaged = () if kind == "session" else (f"{good[:-2]}zz", good[:-2])
    for value in ("", "none at all", *damaged):
        for secret in (b"", value.encode(), key[:31]):
            assert taken(value, secret) == [False], value


def document(kind: str, secret: bytes, *, ahead: int = 0) -> str:
    """Return a document of a kind, signed by a secret whose clock is `ahead` by some seconds."""
    now = int(time.time()) + ahead
    claims = {
        "iss": ISSUER,
        "sub": "1",
        "iat": now,
        "exp": now + 60,
        "sid": "s",
        "ver": 1,
        "username": "admin",
        "roles": [],
        **{"session": {}, "feed": {"aud": "latchkey-revocations"}, "assertion": {"aud": APP}}[kind],
    }
    typ = {"session": "JWT", "feed": FEED_TYPE, "assertion": ASSERTION_TYPE}[kind]
    return compact(
        {"alg": "HS256", "typ": typ}, claims, lambda message: hmac.digest(secret, message, "sha256")
    )


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", PAGES)
def test_the_code_of_the_documentation_is_as_tolerant_of_clocks_as_the_server(
    request: pytest.FixtureRequest, kind: str, library: str
) -> None:
    """It takes what was issued up to 5 s ahead, and no session that was issued later."""
    path, name = PAGES[kind]
    text = "ab" * 32
    key = text.encode() if kind == "session" else bytes.fromhex(text)
    environ = {f"LATCHKEY_{each}": text for each in ("SECRET", "FEED_KEY", "ASSERTION_KEY")}
    world = World(environ=environ, issuer=ISSUER, node=lambda: node_of(request))
    texts = [document(kind, key, ahead=ahead) for ahead in (0, 1, 5, 60)]
    taken = Snippet(library, path, name).accepts(world, texts)
    assert taken[:3] == [True] * 3
    assert kind != "session" or not taken[3]


@pytest.mark.parametrize(("ahead", "is_taken"), [(0, True), (1, True), (5, True), (60, False)])
def test_the_code_of_the_readme_is_as_tolerant_of_clocks(ahead: int, is_taken: bool) -> None:  # noqa: FBT001  # a table
    code = block("README.md", "python", "jwt.decode").replace("http://localhost:8080", ISSUER)
    names = {"token": document("session", SECRET.encode(), ahead=ahead), "JWT_SECRET_KEY": SECRET}
    if is_taken:
        exec(code, names)  # noqa: S102  # its own code
    else:
        with pytest.raises(jwt.ImmatureSignatureError):
            exec(code, names)  # noqa: S102  # its own code


def node_of(request: pytest.FixtureRequest) -> Node:
    """Return the node with all libraries, where there is one."""
    found: Node = request.getfixturevalue("libraries")
    return found


def test_no_code_of_the_documentation_is_left_out() -> None:
    shown = {(path, text) for path, _ in PAGES.values() for text in blocks(path, "python")}
    shown |= {(path, text) for path, _ in PAGES.values() for text in blocks(path, "js")}
    run = {
        (path, Snippet(each, path, name).code)
        for path, name in PAGES.values()
        for each in LIBRARIES
    }
    assert run == shown


def test_the_code_of_the_readme_takes_a_session(documents: Documents, algorithm: str) -> None:
    code = block("README.md", "python", "jwt.decode").replace(
        "http://localhost:8080", documents.server.url
    )

    def accepts(text: str) -> bool:
        try:
            exec(code, {"token": text, "JWT_SECRET_KEY": SECRET})  # noqa: S102  # its own code
        except jwt.PyJWTError:
            return False
        return True

    if algorithm == "HS256":
        assert_only(documents, "session", tried(documents, accepts))
    else:
        assert not any(tried(documents, accepts))
