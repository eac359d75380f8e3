"""Files of secrets that another user can change or replace: not at the start, nor later."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service import config, keys
from service.config import Config
from service.errors import Fault
from service.keys import file, rotation
from service.system import file_owner
from tests.process.test_key_watcher import figure, kids
from tests.support.client import ask
from tests.support.commands import command
from tests.support.environment import STRONG
from tests.support.keyfiles import key, within
from tests.support.owners import AS_ROOT, USER, link_as_user
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # only files have owners

PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://auth.example.org",
    "JWT_ALGORITHM": "EdDSA",
}
NAMES = ("keys.json", "secret", ".env", "latchkey.db")
Change = Callable[[Path], None]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder for secrets, in one that everybody may enter: `/tmp` alone is above."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        made = Path(name) / "deeper" / "secrets"
        made.mkdir(parents=True, mode=0o755)
        for each in NAMES:
            (made / each).write_text(f"JWT_SECRET_KEY={STRONG}\n" if each == ".env" else STRONG)
            (made / each).chmod(0o600)
        (made / "keys.json").unlink()
        file.change(made / "keys.json", lambda old: rotation.generate(old, "EdDSA", 1), create=True)
        yield made


def load(folder: Path, name: str, **changes: str) -> Config:
    """Read settings that name one of the files, and no other."""
    named = {
        "keys.json": {"JWT_KEYS_FILE": f"{folder}/keys.json", "JWT_SECRET_KEY": STRONG},
        "secret": {"JWT_ALGORITHM": "HS256", "JWT_SECRET_KEY_FILE": f"{folder}/secret"},
        ".env": {"JWT_ALGORITHM": "HS256"},
        "latchkey.db": {
            "JWT_ALGORITHM": "HS256",
            "JWT_SECRET_KEY": STRONG,
            "DATABASE_URL": f"sqlite:///{folder}/latchkey.db",
        },
    }
    dotenv = folder / ".env" if name == ".env" else folder.parents[1] / "no.env"
    return config.load({**PRODUCTION, **named[name], **changes}, dotenv)


def mode(bits: int, up: int) -> Change:
    """Return what changes the mode of a file, or of a folder above it."""

    def change(path: Path) -> None:
        above(path, up).chmod(bits)

    return change


def given_away(up: int) -> Change:
    """Return what gives a file, or a folder above it, to another user."""

    def change(path: Path) -> None:
        os.chown(above(path, up), USER, USER)

    return change


def above(path: Path, up: int) -> Path:
    return path if up == 0 else path.parents[up - 1]


def elsewhere(path: Path) -> None:
    """Put the file into a folder of everybody, and a link of ours in its place."""
    other = path.parents[2] / "everybody"
    other.mkdir()
    other.chmod(0o777)
    path.rename(other / path.name)
    path.symlink_to(other / path.name)


def behind_a_link(path: Path) -> None:
    """Put a link of another user in its place, in a sticky folder where that is possible."""
    path.rename(path.with_suffix(".safe"))
    path.parent.chmod(0o1777)
    link_as_user(path, path.with_suffix(".safe"))


def volume(path: Path) -> None:
    """Make what Kubernetes makes of a Secret with `defaultMode: 0440` and an `fsGroup`."""
    (path.parent / "..2026").mkdir(mode=0o2755)
    path.chmod(0o440)
    path.rename(path.parent / "..2026" / path.name)
    (path.parent / "..data").symlink_to("..2026")
    path.symlink_to(f"..data/{path.name}")
    path.parent.chmod(0o3777)


_REPLACES = r"every user of this machine can replace it\. Run: chmod o-w "
UNSAFE: dict[str, tuple[Change, str]] = {
    "a file of everybody": (
        mode(0o602, 0),
        r"that every user of this machine can change\. Run: chmod 600 ",
    ),
    "a folder of everybody": (mode(0o777, 1), rf"{_REPLACES}\S+/secrets"),
    "a folder above": (mode(0o757, 2), rf"{_REPLACES}\S+/deeper"),
    "a link to a folder of everybody": (elsewhere, rf"{_REPLACES}\S+/everybody"),
}
UNSAFE_OWNERS: dict[str, tuple[Change, str]] = {
    "a file of another": (given_away(0), r"that belongs to another user\. Run: chown -h 0 "),
    "a folder of another": (given_away(1), r"in a folder that belongs to another user, .*secrets "),
    "a folder of another above": (given_away(2), r"in a folder that belongs to another .*deeper "),
    "a link of another": (behind_a_link, r"behind a link that belongs to another user, "),
}
SAFE: dict[str, Change] = {
    "as it should be": lambda _: None,
    "a folder of a group": mode(0o770, 1),
    "a file of a group": mode(0o660, 0),
    "a sticky folder": mode(0o1777, 1),
    "a volume of Kubernetes": volume,
}
EACH = pytest.mark.parametrize("name", NAMES)


def assert_refused(folder: Path, name: str, change: Change, why: str) -> None:
    change(folder / name)
    if name == "keys.json":  # made safe as it is, servers would take the keys of others
        why = why.replace("Run: chmod 600 ", "Run: python -m service key rotate --leaked --yes ")
    if name == "latchkey.db":
        found = dict(config.findings(load(folder, name)))
        assert list(found) == ["DATABASE_URL"]
        text = found["DATABASE_URL"]
    else:
        with pytest.raises(Fault) as caught:
            load(folder, name)
        text = str(caught.value)
    assert re.search(why, text), text


@EACH
@pytest.mark.parametrize("case", UNSAFE)
def test_what_everybody_can_replace_is_refused(folder: Path, name: str, case: str) -> None:
    assert_refused(folder, name, *UNSAFE[case])


@AS_ROOT
@EACH
@pytest.mark.parametrize("case", UNSAFE_OWNERS)
def test_and_what_another_user_can(folder: Path, name: str, case: str) -> None:
    assert_refused(folder, name, *UNSAFE_OWNERS[case])


@EACH
@pytest.mark.parametrize("case", SAFE)
def test_what_nobody_else_can_replace_is_taken(folder: Path, name: str, case: str) -> None:
    SAFE[case](folder / name)
    settings = load(folder, name)
    assert config.findings(settings) == ()
    if name == "keys.json":
        assert keys.load(settings)


@AS_ROOT
def test_ones_own_and_roots_are_safe_and_a_third_ones_are_not(folder: Path) -> None:
    path = folder / "keys.json"
    for each in (path, folder):
        os.chown(each, USER, USER)
    os.seteuid(USER)
    try:
        assert config.findings(load(folder, "keys.json")) == ()
    finally:
        os.seteuid(0)
    path.chmod(0o644)
    os.seteuid(54321)
    try:
        with pytest.raises(Fault, match="another user"):
            load(folder, "keys.json")
    finally:
        os.seteuid(0)


def test_outside_production_it_is_a_warning(folder: Path) -> None:
    folder.chmod(0o777)
    settings = load(folder, "keys.json", ENVIRONMENT="development")
    ((name, text),) = config.findings(settings)
    assert name == "JWT_KEYS_FILE"
    assert f"Run: chmod o-w {folder} && python -m service key rotate --leaked --yes (" in text
    assert text.endswith("this replaces all keys, and all users must sign in again).")
    assert keys.load(settings)


@pytest.mark.parametrize("verb", [("serve",), ("config", "check")])
def test_neither_serve_nor_config_check_goes_on(folder: Path, verb: tuple[str, ...]) -> None:
    folder.chmod(0o777)
    done = command(folder, *verb, **PRODUCTION, JWT_KEYS_FILE="keys.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Run: chmod o-w {folder}" in done.stderr
    assert "Traceback" not in done.stderr


# --- The check is of the file that is read.


def test_the_file_that_was_opened_is_checked_and_not_what_has_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, safe = folder / "keys.json", folder / "safe.json"
    shutil.copy(path, safe)
    safe.chmod(0o600)
    path.chmod(0o666)
    before = file_owner.is_regular

    def between(descriptor: int) -> bool:
        safe.replace(path)
        return before(descriptor)

    monkeypatch.setattr(file_owner, "is_regular", between)
    with pytest.raises(file.BadFile, match="every user of this machine can change"):
        file.read(path, ours_alone=True)


@pytest.mark.parametrize("up", [0, 1])
def test_what_becomes_unsafe_after_the_settings_were_read_is_not_taken(
    folder: Path, up: int
) -> None:
    settings = load(folder, "keys.json")
    above(folder / "keys.json", up).chmod(0o777)
    with pytest.raises(
        keys.BadFile, match=r"every user of this machine can .*\. Run: (chmod|python)"
    ):
        keys.load(settings)


# --- While the service runs.


@pytest.fixture
def serving(start: Start, folder: Path) -> Server:
    """Return a server in production that signs with the key of `folder`."""
    return start(
        **PRODUCTION,
        BYPASS_AUTH="false",
        JWT_KEYS_FILE=f"{folder}/keys.json",
        JWT_SECRET_KEY=STRONG,
    )


def forge(folder: Path) -> tuple[Path, str]:
    """Make a file of keys as an attacker makes it, beside the real one; return a key's name."""
    path = folder / "forged.json"
    made = json.loads(key(path, "generate", "--json"))
    return path, str(made["kid"])


def write_into(folder: Path, path: Path) -> None:
    (folder / "keys.json").write_bytes(path.read_bytes())


def test_a_file_in_a_folder_of_everybody_is_not_taken(serving: Server, folder: Path) -> None:
    before, (path, forged) = kids(serving.port), forge(folder)
    folder.chmod(0o777)
    within(2, lambda: ask(serving.port, "/readyz").json["status"] == "degraded")
    path.replace(folder / "keys.json")
    assert_kept(serving, before, f"chmod o-w {folder}")
    folder.chmod(0o755)
    within(2, lambda: kids(serving.port) == {forged})
    assert figure(serving.port) == "0.0"


def test_a_file_of_everybody_is_not_taken(serving: Server, folder: Path) -> None:
    before, (path, forged) = kids(serving.port), forge(folder)
    (folder / "keys.json").chmod(0o666)
    write_into(folder, path)
    assert_kept(serving, before, "python -m service key rotate --leaked --yes (others may have")
    (folder / "keys.json").chmod(0o600)
    within(2, lambda: kids(serving.port) == {forged})


@AS_ROOT
def test_a_file_of_another_user_is_not_taken(serving: Server, folder: Path) -> None:
    before, (path, _) = kids(serving.port), forge(folder)
    os.chown(path, USER, USER)
    path.replace(folder / "keys.json")
    assert_kept(serving, before, f"chown -h 0 {folder}/keys.json")


def assert_kept(server: Server, before: set[str], cure: str) -> None:
    """Check that the keys before are in use, and that the log says what to do, once."""
    within(2, lambda: cure in server.log(until="keys_file_bad"))
    answer = ask(server.port, "/readyz")
    assert (answer.status, answer.json["status"]) == (200, "degraded")
    assert answer.json["keys"] == "invalid"  # the reason is in the log: anyone may ask
    assert kids(server.port) == before
    assert figure(server.port) == "1.0"
    lines = [line for line in server.log().splitlines() if "keys_file_bad" in line]
    faults = [json.loads(line)["fault"] for line in lines]
    assert all(fault.startswith("it is a file ") for fault in faults)
    assert len(set(faults)) == len(faults)
