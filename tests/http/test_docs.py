"""The documentation tells the truth: settings, codes and routes in it are those of the code."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator

import click
import pytest

from service import app, config, errors
from service.cli import cli
from tests.support.commands import verbs_of
from tests.support.environment import EVERYTHING, ROOT, Settings, clean_environ
from tests.support.servers import Server

HTTP = (ROOT / "docs" / "http.md").read_text()
README = (ROOT / "README.md").read_text()


def problems(kind: type[errors.Problem] = errors.Problem) -> Iterator[type[errors.Problem]]:
    """Yield every problem that has a code of its own."""
    if "code" in vars(kind):
        yield kind
    for child in kind.__subclasses__():
        yield from problems(child)


def test_every_setting_has_its_line() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE
    )
    assert rows == list(config.NAMES)


def test_every_code_has_its_line_and_a_code_of_its_own() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", HTTP, re.MULTILINE)
    known = [(kind.code, str(kind.status)) for kind in problems()]
    assert sorted(rows) == sorted(known)
    assert len(set(rows)) == len(rows)
    by_code = Counter(code for code, _ in rows)
    assert [code for code, count in by_code.items() if count > 1] == ["passkey_invalid"]


def test_every_route_has_its_line(settings: Settings) -> None:
    found = {
        (route.method.replace("*", "GET"), route.resource.canonical)
        for route in app.create_app(settings(**EVERYTHING)).router.routes()
        if route.resource is not None and route.method not in {"HEAD", "OPTIONS"}
    }
    table = "\n".join(line for line in HTTP.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\[ ]*)", table)) == found


def test_every_command_for_users_has_its_line_with_its_options() -> None:
    text = (ROOT / "docs" / "users.md").read_text()
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    for group in ("user", "role", "audit"):
        found = verbs_of(cli)[group]
        assert isinstance(found, click.Group)
        for name, verb in verbs_of(found).items():
            lines = re.findall(rf"`{group} {name}\b([^`]*)`", table)
            assert lines, name
            options = {option for each in verb.params for option in each.opts + each.secondary_opts}
            told = set(re.findall(r"--[a-z-]+", "".join(lines)))
            assert told == {opt for opt in options if opt.startswith("--")} - {"--json"}, name


def test_links_lead_to_files() -> None:
    for path in (ROOT / "README.md", ROOT / "clients/README.md", *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert link.startswith("https://") or (path.parent / link).exists(), (path, link)


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("sh") is None, reason="curl is not installed"
)
def test_the_lines_of_the_readme_work(server: Server, tmp_path: os.PathLike[str]) -> None:
    block = README.partition("## Use it\n\n```sh\n")[2].partition("```")[0]
    lines = block.replace("http://localhost:8080", server.url)
    done = subprocess.run(
        ["sh", "-euc", lines],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=clean_environ(),
        check=True,
    )
    assert done.stdout.count('"username":"admin"') == 2
