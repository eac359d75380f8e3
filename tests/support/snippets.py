"""The code that README and docs show, run as it stands there: in Python, and in Node.js."""

import json
import re
import subprocess
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc.errors import SecurityWarning

from tests.support.environment import ROOT, clean_environ
from tests.support.verifiers import Node

AUTH, APP = "https://auth.example.org", "app.example.org"
_FOR_SECRETS = re.compile(r"^( *)(.*?) *(?:#|//) HS256: (.*)$", re.MULTILINE)
LIBRARIES = {
    "PyJWT": ("python", "\nimport jwt\n"),
    "joserfc": ("python", "from joserfc"),
    "jose": ("js", "from 'jose'"),
    "jsonwebtoken": ("js", "from 'jsonwebtoken'"),
}
_RUN = """
const { module, name, texts } = JSON.parse(process.argv[2]);
const check = (await import(module))[name];
const found = await Promise.allSettled(texts.map((each) => check(each)));
console.log(JSON.stringify(found.map(({ status }) => status === 'fulfilled')));
process.exit(0);
"""


def blocks(path: str, language: str) -> Iterator[str]:
    """Yield the code of a language on a page."""
    page = (ROOT / path).read_text()
    for _, text in re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL):
        yield textwrap.dedent(text)


def block(path: str, language: str, *having: str) -> str:
    """Return the one block of a page that has these texts in it."""
    (found,) = (text for text in blocks(path, language) if all(each in text for each in having))
    return found


def for_a_secret(code: str) -> str:
    """Return code with the lines that have a comment `HS256:` as that comment says."""

    def changed(line: re.Match[str]) -> str:
        indent, before, instead = line.groups()
        if instead.startswith(("return ", "const ")):
            return f"{indent}{instead}"
        end = ";" if before.endswith(";") else ""
        return f"{indent}{before.partition(' = ')[0]} = {instead}{end}"

    done, count = _FOR_SECRETS.subn(changed, code)
    assert count == 2, code
    return done


@dataclass(frozen=True)
class Snippet:
    """A function of the documentation that checks one kind of document by one library."""

    library: str
    path: str
    name: str

    @property
    def code(self) -> str:
        """The block that has it."""
        language, having = LIBRARIES[self.library]
        kind = "def" if language == "python" else "function"
        return block(self.path, language, having, f"{kind} {self._spelt(language)}(")

    def _spelt(self, language: str) -> str:
        if language == "python":
            return self.name
        first, *rest = self.name.split("_")
        return first + "".join(map(str.title, rest))

    def accepts(self, world: "World", texts: list[str], *, may_fail: bool = False) -> list[bool]:
        """Tell of each text whether the function takes it; none if the code may fail and does."""
        language, _ = LIBRARIES[self.library]
        code = self.code.replace(AUTH, world.issuer)
        code = for_a_secret(code) if world.environ else code
        if language == "python":
            return _in_python(code, self.name, world.environ, texts)
        found = _in_node(world.node(), code, self._spelt(language), world.environ, texts)
        assert found is not None or may_fail
        return found or [False] * len(texts)


@dataclass(frozen=True)
class World:
    """Where code of the documentation runs. `environ` has the secrets of HS256."""

    issuer: str
    environ: Mapping[str, str]
    node: Callable[[], Node]


def _in_python(code: str, name: str, environ: Mapping[str, str], texts: list[str]) -> list[bool]:
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # the page says that joserfc warns
        for each, value in environ.items():
            patch.setenv(each, value)
        exec(code, names)  # noqa: S102  # the page's own code
        return [_does_not_raise(names[name], text) for text in texts]


def _does_not_raise(check: Callable[[str], object], text: str) -> bool:
    try:
        return check(text) is not None
    except Exception:  # noqa: BLE001  # each library has its own
        return False


def _in_node(
    node: Node, code: str, name: str, environ: Mapping[str, str], texts: list[str]
) -> list[bool] | None:
    module = node.folder / "snippet.mjs"
    module.write_text(code)
    (node.folder / "run_snippet.mjs").write_text(_RUN)
    asked = json.dumps({"module": "./snippet.mjs", "name": name, "texts": texts})
    done = subprocess.run(
        ["node", "run_snippet.mjs", asked],
        cwd=node.folder,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return list(json.loads(done.stdout)) if done.returncode == 0 else None
