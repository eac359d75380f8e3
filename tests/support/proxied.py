"""Requests to the site behind each proxy, and what the application is told."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.client import BROWSER
from tests.support.proxies import FILES, PROGRAMS, deployed, deployed_beside
from tests.support.proxy_site import Application, Deployment
from tests.support.servers import Start

NAVIGATION = {**BROWSER, "Sec-Fetch-Mode": "navigate"}


def _with(sign: str) -> Callable[[str], str]:
    return lambda name: name.replace("-", sign)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda name: name,
    "lower case": str.lower,
    "upper case": str.upper,
    "mixed case": str.swapcase,
    "underscores": lambda name: name.replace("-", "_"),
    "dots": lambda name: name.replace("-", "."),
    "an underscore and dashes": lambda name: name.replace("-", "_", 1),
    "a dot at the end": lambda name: ".".join(name.rsplit("-", 1)),
    **{f"with {sign}": _with(sign) for sign in "!#$%&'*+^`|~"},
    "upper case and underscores": lambda name: name.upper().replace("-", "_"),
}


@pytest.fixture(scope="module", params=PROGRAMS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> Iterator[Deployment]:
    """Yield a deployment that the tests share."""
    folder = tmp_path_factory.mktemp(request.param)
    with deployed(request.param, folder, start) as deployment:
        yield deployment


@pytest.fixture
def site(shared: Deployment) -> Deployment:
    """Return the shared deployment, its application without memories."""
    shared.application.received.clear()
    shared.application.answers.clear()
    return shared


@pytest.fixture(scope="module", params=FILES)
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, Application]]:
    """Yield a deployment, and what stands in the place of Latchkey."""
    folder = tmp_path_factory.mktemp(request.param)
    with Application() as other, deployed_beside(other, request.param, folder) as deployment:
        yield deployment, other


def fresh(
    pair: tuple[Deployment, Application], identity: dict[str, str]
) -> tuple[Deployment, Application]:
    """Return the same, without memories; who is asked lets everybody pass with these headers."""
    site, other = pair
    site.application.received.clear()
    other.received.clear()
    other.answers["/auth/verify"] = 200, identity
    return site, other
