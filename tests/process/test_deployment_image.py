"""The image: what is copied into it, and the lock of its libraries."""

import configparser
import json
import re
from collections.abc import Iterator
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service import __version__
from tests.process.test_deployment import DOCKERFILE, PORT
from tests.support.deployment import DEPLOY, strangers
from tests.support.environment import ROOT

STORES = ("sqlite",)


def stages() -> list[str]:
    """Return the stages of the Dockerfile."""
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_what_the_image_copies_is_there_and_gets_in() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", stages()[0], re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert set(copied) == allowed
    for name in copied:
        assert (ROOT / name).exists(), name
    # What the code finds beside itself, and what is installed.
    assert set(copied) == {"service", "migrations", "seeds", "deploy/docker/requirements.lock"}


def test_the_image_is_what_its_file_promises() -> None:
    _, last = stages()
    assert "RUN" not in re.findall(r"^[A-Z]+", last, re.MULTILINE)  # no compiler, no cache
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", last, re.MULTILINE)
    for name, words in (("ENTRYPOINT", ["python3", "-m", "service"]), ("CMD", ["serve"])):
        (line,) = re.findall(rf"^{name} (.*)$", last, re.MULTILINE)
        assert json.loads(line) == words
    (check,) = re.findall(r"^    CMD (.*)$", last, re.MULTILINE)
    assert json.loads(check) == ["python3", "-m", "service", "healthcheck"]
    assert f'image.version="{__version__}"' in last
    assert f"EXPOSE {PORT}" in last
    environ = dict(re.findall(r"([A-Z_]+)=(\S+)", last.partition("ENV ")[2].partition("\n\n")[0]))
    assert not strangers(environ) - {"PATH", "PYTHONDONTWRITEBYTECODE"}


LOCK = (DEPLOY / "docker/requirements.lock").read_text()


def locked() -> dict[str, Requirement]:
    """Return what the image installs, by name."""
    text = re.sub(r" \\\n +--hash=sha256:[0-9a-f]{64}", "", LOCK)
    lines = [Requirement(line) for line in text.splitlines() if not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in lines}


def versions(requirement: Requirement) -> set[str]:
    """Return the versions that a line of the lock allows: one."""
    return {each.version for each in requirement.specifier if each.operator == "=="}


def test_everything_in_the_image_has_one_version_and_hashes() -> None:
    assert len(locked()) == len(re.findall(r"^[A-Za-z0-9]", LOCK, re.MULTILINE))
    for name, requirement in locked().items():
        assert len(versions(requirement)) == len(requirement.specifier) == 1, name
        assert not requirement.url, name
    for block in re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]:
        head, *hashes = block.rstrip("\n").split(" \\\n")
        assert hashes, head
        for line in hashes:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line), head


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"^\s*-(?!-hash=)|://|\bindex|find-links", LOCK, re.MULTILINE)


def test_the_lock_is_what_setup_cfg_allows() -> None:
    """With the driver for PostgreSQL, and with everything that these libraries need in turn."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = setup["options"]["install_requires"] + setup["options.extras_require"]["postgresql"]
    pending = [Requirement(line) for line in named.splitlines() if line and line[0] != "#"]
    assert len(pending) > 15
    found = locked()
    seen: set[str] = set()
    while pending:
        wanted = pending.pop()
        name = canonicalize_name(wanted.name)
        assert name in found, name
        (version,) = versions(found[name])
        assert wanted.specifier.contains(version), (name, version, str(wanted.specifier))
        if str(wanted) not in seen:
            seen.add(str(wanted))
            pending += needed_by(name, version, wanted.extras)


def needed_by(name: str, version: str, extras: set[str]) -> Iterator[Requirement]:
    """Yield what a library needs here, if this machine has just this version of it."""
    try:
        about = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    if about.version != version:
        return
    for line in about.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(
            needed.marker.evaluate({"extra": extra}) for extra in (*extras, "")
        ):
            yield needed


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_marker_leaves_a_library_out(python: str, machine: str) -> None:
    where = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    left_out = {
        name
        for name, each in locked().items()
        if each.marker is not None and not each.marker.evaluate(where)
    }
    assert left_out <= {"tzdata", "colorama"}  # for Windows


def test_the_image_installs_from_the_lock_alone() -> None:
    first, last = stages()
    (install,) = re.findall(r" install (.*?) &&", first.replace("\\\n", " "), re.DOTALL)
    words = install.split()
    assert {"--require-hashes", "--no-deps", "--requirement", "requirements.lock"} <= set(words)
    assert words[words.index("--only-binary") + 1] == ":all:"
    assert "pip" not in last
