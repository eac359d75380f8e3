"""Keys in a file that others could change: no command but `key rotate --leaked` makes them good."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from service.keys import file, file_entry
from tests.process.test_key_watcher import kids
from tests.support.client import ask
from tests.support.commands import command
from tests.support.environment import STRONG
from tests.support.keyfiles import key, within
from tests.support.owners import AS_ROOT, USER, owner
from tests.support.servers import Server, Start
from tests.unit.test_file_access import PRODUCTION, UNSAFE, folder

STORES = ("sqlite",)  # only files have owners

__all__ = ["folder"]

CURE = "python -m service key rotate --leaked --yes"
COMMANDS = (["generate"], ["rotate", "--force"], ["retire", "KID", "--yes"], ["retire", "KID"])


@pytest.fixture
def path(folder: Path) -> Path:
    """Return a file of a key that signs, one that is published, and a stranger's."""
    made = folder / "keys.json"
    key(made, "generate")
    document = json.loads(made.read_text())
    document["keys"].append(file_entry.write(file_entry.fresh("EdDSA", "verifying", 1)))
    made.write_text(json.dumps(document))
    return made


def run(path: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command about the file, in a folder that only we can change."""
    given = {**PRODUCTION, "JWT_KEYS_FILE": str(path), **settings}
    with tempfile.TemporaryDirectory() as folder:
        return command(Path(folder), "key", *words, **given)


def entries(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["keys"]
    return found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_takes_the_keys_over(path: Path, words: list[str]) -> None:
    before, stranger = path.read_bytes(), entries(path)[-1]["kid"]
    path.chmod(0o666)
    done = run(path, *(stranger if word == "KID" else word for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert "a file that every user of this machine can change" in done.stderr
    assert f"Run: {CURE} (others may have added keys" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("case", UNSAFE)
def test_whatever_the_reason_is(path: Path, case: str) -> None:
    change, why = UNSAFE[case]
    change(path)
    before = path.read_bytes()
    with pytest.raises(file.BadFile, match=why.replace("chmod 600", CURE)):
        file.change(path, lambda old: old, ours_alone=True)
    assert path.read_bytes() == before


@AS_ROOT
def test_or_another_user_put_the_file_there(path: Path) -> None:
    """Root acts with the rights of the folder's owner, as whom the service runs."""
    for each in (path.parent, path.with_name("keys.json.lock")):
        os.chown(each, 54321, 54321)
    os.chown(path, USER, USER)
    path.chmod(0o644)
    with pytest.raises(file.BadFile, match=rf"that belongs to another user\. Run: {CURE}"):
        file.change(path, lambda old: old, ours_alone=True)
    with pytest.raises(file.BadFile, match="belongs to user 12345"):
        file.change(path, lambda old: old)
    file.change(path, lambda old: old, takes_over=True)
    assert owner(path) == (54321, 54321)


def test_a_new_file_is_not_made_where_others_can_replace_it(folder: Path) -> None:
    folder.chmod(0o777)
    done = run(folder / "new.json", "generate")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Run: chmod o-w {folder} && {CURE}" in done.stderr
    assert not (folder / "new.json").exists()


@pytest.mark.parametrize("bits", [(0o666, 0o755), (0o600, 0o777)])
def test_the_cure_takes_every_key_out_of_use(path: Path, bits: tuple[int, int]) -> None:
    path.chmod(bits[0])
    path.parent.chmod(bits[1])
    old = [entry["kid"] for entry in entries(path)]
    done = run(path, "rotate", "--leaked", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    *gone, made = entries(path)
    assert [(entry["kid"], entry["latchkey"]["state"]) for entry in gone] == [
        (kid, "retired") for kid in old
    ]
    assert not any("d" in entry for entry in gone)
    assert made["kid"] not in old
    assert path.stat().st_mode & 0o137 == 0


def test_the_list_shows_them_and_warns(path: Path) -> None:
    path.chmod(0o666)
    done = run(path, "list", "--json")
    assert done.returncode == 0
    assert [row["kid"] for row in json.loads(done.stdout)] == [row["kid"] for row in entries(path)]
    assert done.stderr.startswith("Warning: JWT_KEYS_FILE names a file that every user of this")
    assert f"{CURE} (others may have added keys" in done.stderr
    path.chmod(0o600)
    assert run(path, "list").stderr == ""


def test_outside_production_the_commands_go_on(path: Path) -> None:
    path.chmod(0o666)
    assert run(path, "list", ENVIRONMENT="development").stderr == ""
    path.chmod(0o600)
    path.parent.chmod(0o777)
    assert run(path, "generate", ENVIRONMENT="development").returncode == 0


@AS_ROOT
@pytest.mark.parametrize("folder_too", [False, True])
def test_root_changes_the_keys_of_the_service(path: Path, *, folder_too: bool) -> None:
    for each in (path, path.with_name("keys.json.lock"), *([path.parent] if folder_too else [])):
        os.chown(each, USER, USER)
    for words in (["generate"], ["rotate", "--force"], ["list"]):
        done = run(path, *words)
        assert (done.returncode, done.stderr) == (0, ""), words
    assert owner(path) == (USER, USER)


@pytest.fixture
def serving(start: Start, path: Path) -> Server:
    """Return a server in production that has not seen the stranger's key."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"keys": document["keys"][:-1]}))
    server = start(
        **PRODUCTION, BYPASS_AUTH="false", JWT_KEYS_FILE=str(path), JWT_SECRET_KEY=STRONG
    )
    path.chmod(0o666)
    path.write_text(json.dumps(document))
    within(2, lambda: ask(server.port, "/readyz").json["status"] == "degraded")
    return server


def test_a_server_never_takes_the_strangers_key(serving: Server, path: Path) -> None:
    stranger, before = entries(path)[-1]["kid"], kids(serving.port)
    assert stranger not in before
    assert run(path, "generate").returncode == 1
    time.sleep(1)
    assert kids(serving.port) == before
    assert run(path, "rotate", "--leaked", "--yes").returncode == 0
    made = entries(path)[-1]["kid"]
    within(2, lambda: kids(serving.port) == {made})
    assert ask(serving.port, "/readyz").json["status"] == "ok"
    assert f"{CURE} (others may have added keys" in serving.log()
