"""The verifiers in clients/, started and asked alike: in this process, and in a running Node.js."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import latchkey_verifier
import pytest

from tests.support.environment import ROOT
from tests.support.issuer import Claims


class Client(Protocol):
    """A verifier: what `verify` returns is the claims, or the code of the refusal."""

    def verify(self, token: str) -> Claims | str: ...  # noqa: D102

    def sizes(self) -> dict[str, int]: ...  # noqa: D102


Make = Callable[..., Client]


@dataclass(frozen=True)
class InPython:
    """The Python verifier."""

    verifier: latchkey_verifier.Verifier

    def verify(self, token: str) -> Claims | str:
        """Call it."""
        try:
            return self.verifier.verify(token)
        except latchkey_verifier.Refused as refused:
            return str(refused.code)
        except latchkey_verifier.FeedStale:
            return "feed_stale"

    def sizes(self) -> dict[str, int]:
        """Call it."""
        tokens = self.verifier._remember.cache_info().currsize
        return {"tokens": tokens, "rows": len(self.verifier._known.rows)}


@dataclass(frozen=True)
class Node:
    """A running node with the driver, and the folder that has jose."""

    process: subprocess.Popen[str]
    folder: Path

    def call(self, command: str, **arguments: Any) -> Any:
        """Send a command, and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"] if "code" in answer else answer["value"]


@dataclass(frozen=True)
class InJavaScript:
    """The JavaScript verifier."""

    node: Node
    verifier: int

    def verify(self, token: str) -> Claims | str:
        """Call it."""
        result: Claims | str = self.node.call("verify", verifier=self.verifier, token=token)
        return result

    def sizes(self) -> dict[str, int]:
        """Call it."""
        return dict(self.node.call("sizes", verifier=self.verifier))


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Yield a node with the JavaScript verifier, and jose beside a copy of it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"node is too old for the package jose: {version.stdout.strip()}")
    folder = tmp_path_factory.mktemp("javascript")
    for file in (
        *(ROOT / "clients/javascript").glob("*.*"),
        ROOT / "tests/support/verifier_driver.mjs",
    ):
        if file.is_file():
            shutil.copy(file, folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(
        install, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"the package jose cannot be installed: {done.stderr.strip()[-200:]}")
    with subprocess.Popen(
        ["node", "verifier_driver.mjs"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Node(process, folder)
        process.kill()


@dataclass
class Made:
    """The verifiers of one test, of one language."""

    node: Node | None
    stops: list[Callable[[], object]] = field(default_factory=list)

    def __call__(self, issuer: str, **options: Any) -> Client:
        """Return a started verifier."""
        if self.node is None:
            verifier = latchkey_verifier.Verifier(issuer, **options).start()
            self.stops.append(verifier.stopped.set)
            return InPython(verifier)
        names = {name: name.split("_") for name in options}
        spelt = {n[0] + "".join(map(str.title, n[1:])): options[name] for name, n in names.items()}
        number = self.node.call("start", options={"issuer": issuer, **spelt})
        if not isinstance(number, int):
            raise ValueError(number)  # noqa: TRY004  # what Python's constructor raises
        client = InJavaScript(self.node, number)
        self.stops.append(lambda: client.node.call("stop", verifier=number))
        return client


@pytest.fixture(params=["python", "javascript"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Yield what makes a verifier, for each language."""
    is_python = request.param == "python"
    made = Made(None if is_python else request.getfixturevalue("node"))
    yield made
    for stop in made.stops:
        stop()


def outcome(client: Client, token: str) -> str:
    """Return `good`, or the code of the refusal."""
    result = client.verify(token)
    return result if isinstance(result, str) else "good"


def seconds_until(client: Client, token: str, expected: str, at_most: float = 5) -> float:
    """Return how long it takes until a token is answered so; fail when that is too long."""
    began = time.monotonic()
    while (last := outcome(client, token)) != expected:
        assert time.monotonic() - began < at_most, last
        time.sleep(0.01)
    return time.monotonic() - began
