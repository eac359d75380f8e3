"""What a server in production tells strangers: nothing of its insides, whatever they ask for."""

import re
from collections.abc import Iterator

import pytest

from service import __version__, config, errors
from service.app import create_app
from tests.support.client import BROWSER, Answer, ask, send
from tests.support.environment import EVERYTHING, ROOT, STRONG, Settings
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

_TOLD = {"COOKIE_DOMAIN"}
"""Named to people whose browser drops the cookie, for their administrator."""
_FORBIDDEN = re.compile(
    "|".join(
        (
            r"bypass",
            r"\bENVIRONMENT\b",
            r"\bdevelopment sign-in",
            r"\bmake (?:seed|run)\b",
            r"aiohttp|uvloop|python/|pyjwt|jinja|sqlite|postgres|psycopg",
            r"traceback|\bFile \"",
            r"/(?:tmp|root|home|usr|etc|var|srv)/",
            r"latchkey\.db|keys\.json|\.env\b",
            re.escape(str(ROOT)),
            r"\b(?:"
            + "|".join(name for name in config.NAMES if "_" in name and name not in _TOLD)
            + r")\b",
        )
    ),
    re.IGNORECASE,
)
FIGURES = "/metrics"
"""For Prometheus: it says that the development sign-in is off. The files of deploy/ close it."""
DESCRIPTION = "/openapi.json"


@pytest.fixture(scope="module")
def careful(start: Start) -> Server:
    """Return a server in production with a provider of each kind."""
    return start(
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
        **EVERYTHING,
    )


def paths(settings: Settings) -> Iterator[str]:
    """Yield a path for each route that there may be."""
    for route in create_app(settings(**EVERYTHING)).router.routes():
        if route.resource is not None:
            yield re.sub(r"{[^}]+}", "1", route.resource.canonical)
    yield from ("/none", "/auth/bypass/", "/auth/bypass/sessions", "/auth/oidc/none", "//", "/%00")


def assert_says_nothing(answer: Answer, where: str) -> None:
    heads = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    found = _FORBIDDEN.search(f"{heads}\n{answer.text}")
    assert found is None, f"{where}: {found}"
    assert answer["Server"] == "latchkey"
    assert where.endswith(DESCRIPTION) or __version__ not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_no_answer_speaks_of_the_insides(
    careful: Server, production: Server, settings: Settings, method: str
) -> None:
    for path in sorted(set(paths(settings)) - {FIGURES}):
        for headers in (BROWSER, {}, {**BROWSER, "Cookie": "jwt=x; jwt=y"}):
            for server in (careful, production):
                answer = ask(server.port, path, method, headers=headers)
                assert_says_nothing(answer, f"{method} {path}")


def test_the_figures_say_only_that_it_is_off(production: Server) -> None:
    text = ask(production.port, FIGURES).text
    lines = [line for line in text.splitlines() if _FORBIDDEN.search(line)]
    assert lines == [
        "# HELP latchkey_bypass_enabled 1 if the development sign-in is on",
        "# TYPE latchkey_bypass_enabled gauge",
        "latchkey_bypass_enabled 0.0",
    ]


def test_what_the_parser_refuses_speaks_of_nothing_either(production: Server) -> None:
    for data in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ):
        text = send(production.port, data).decode("latin-1")
        assert text.startswith(("HTTP/1.0 4", "HTTP/1.1 4"))
        assert _FORBIDDEN.search(text) is None, data


def test_no_problem_names_a_setting_but_those_of_the_development_sign_in() -> None:
    for name in dir(errors):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.Problem):
            said = f"{kind.title} {kind.detail}"
            if not kind.code.startswith(("bypass_", "username_")):
                assert _FORBIDDEN.search(said) is None, said
