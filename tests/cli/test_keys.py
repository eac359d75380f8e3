"""`key generate|rotate|list|retire`, as a person runs them."""

import json
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import command

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs `key …` with three settings and no others: that is all they need."""

    def run_key(*arguments: str, stdin: str = "", **changes: str) -> Any:
        given = {"JWT_ALGORITHM": "EdDSA", "JWT_KEYS_FILE": "data/keys.json", **changes}
        return command(tmp_path, "key", *arguments, stdin=stdin, **given)

    return run_key


def listed(run: Run) -> list[dict[str, Any]]:
    """Return what `key list --json` says."""
    found: list[dict[str, Any]] = json.loads(run("list", "--json").stdout)
    return found


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_rotation_from_the_first_key_to_the_retired_one(run: Run, tmp_path: Path) -> None:
    assert re.fullmatch(r"Generated the EdDSA key [\w-]{43}: signing\.\n", good(run("generate")))
    assert stat.S_IMODE((tmp_path / "data" / "keys.json").stat().st_mode) == 0o600
    assert "published. Wait 600 s for caches of the public keys, then run: key rotate" in good(
        run("generate")
    )
    old, new = (key["kid"] for key in listed(run))
    assert f"The key {new} was published" in refused(run("rotate"))
    assert good(run("rotate", "--force")) == (
        f"The key {new} now signs. The key {old} now only verifies.\n"
    )
    assert "may be valid for another" in refused(run("retire", old, "--yes"))
    assert "signs. First run: python -m service key rotate" in refused(
        run("retire", new, "--yes", "--force")
    )
    assert good(run("retire", old, "--yes", "--force")) == f"Retired the key {old}.\n"
    assert [(key["kid"], key["state"]) for key in listed(run)] == [
        (old, "retired"),
        (new, "signing"),
    ]
    dates = [value for name, value in listed(run)[0].items() if name.endswith("_at")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", date) for date in dates)
    assert dates == sorted(dates)
    assert "retired at" in good(run("list"))


def test_programs_get_json(run: Run) -> None:
    first, second = (json.loads(good(run("generate", "--json"))) for _ in range(2))
    assert first.keys() == {
        *("action", "changed", "kid", "algorithm", "state"),
        *("published_at", "signing_at", "verifying_at", "retired_at"),
    }
    assert [first["state"], second["state"]] == ["signing", "published"]
    rotated = json.loads(good(run("rotate", "--force", "--json")))
    assert (rotated["kid"], rotated["state"]) == (second["kid"], "signing")
    assert [each["action"] for each in (first, rotated)] == ["key_generate", "key_rotate"]
    retired = json.loads(good(run("retire", first["kid"], "--force", "--yes", "--json")))
    assert (retired["action"], retired["changed"], retired["state"]) == (
        *("key_retire", True),
        "retired",
    )


def test_after_a_leak_one_command_replaces_all_keys(run: Run) -> None:
    for more in ([], [], ["--algorithm", "ES256"]):
        good(run("generate", *more))
    old = [key["kid"] for key in listed(run)]
    stopped = run("rotate", "--leaked", stdin="n\n")
    assert stopped.returncode == 1
    assert "Retire all keys (3) and sign all users out?" in stopped.stdout
    assert [key["kid"] for key in listed(run)] == old
    said = good(run("rotate", "--leaked", "--yes"))
    *gone, first, second = listed(run)
    assert [(key["kid"], key["state"]) for key in gone] == [(kid, "retired") for kid in old]
    assert [(key["algorithm"], key["state"]) for key in (first, second)] == [
        ("EdDSA", "signing"),
        ("ES256", "signing"),
    ]
    assert said == (
        f"Retired {', '.join(old)}. The EdDSA key {first['kid']} now signs."
        f" The ES256 key {second['kid']} now signs. Next: python -m service user sign-out --all\n"
        'Check that /readyz of each server reports "ok": a server that cannot read the new file'
        " continues with the previous keys.\n"
    )
    told = json.loads(good(run("rotate", "--leaked", "--yes", "--json")))
    assert told["retired"] == [first["kid"], second["kid"]]
    assert (told["action"], told["state"]) == ("key_rotate", "signing")
    assert told["kid"] not in [*old, first["kid"], second["kid"]]
    assert "--leaked" in good(run("rotate", "--help"))


def test_retiring_asks_first_and_only_when_it_may_be(run: Run) -> None:
    good(run("generate"))
    good(run("generate"))
    published = listed(run)[1]["kid"]
    stopped = run("retire", published, stdin="n\n")
    assert stopped.returncode == 1
    assert "Cancelled. Nothing was changed." in stopped.stderr
    assert listed(run)[1]["state"] == "published"
    assert "Retired the key" in good(run("retire", published, stdin="y\n"))
    assert "is already retired" in refused(run("retire", published))
    assert "The key nobody does not exist" in refused(run("retire", "nobody"))


def test_the_lifetime_of_tokens_is_that_of_the_settings(run: Run) -> None:
    good(run("generate"))
    good(run("generate"))
    good(run("rotate", "--force"))
    old = listed(run)[0]["kid"]
    text = refused(run("retire", old, JWT_EXPIRES_IN="7d"))
    assert 604_700 < int(re.findall(r"another (\d+) s", text)[0]) <= 604_802


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "es256"])
def test_a_key_of_another_algorithm_has_a_timeline_of_its_own(run: Run, algorithm: str) -> None:
    good(run("generate"))
    made = good(run("generate", "--algorithm", algorithm))
    assert f"signing on servers with JWT_ALGORITHM={algorithm.upper()}" in made
    assert [key["state"] for key in listed(run)] == ["signing", "signing"]
    assert "No EdDSA key is published" in refused(run("rotate", "--force"))


def test_a_file_for_the_time_after_hs256_can_be_prepared(run: Run) -> None:
    made = good(run("generate", JWT_ALGORITHM=""))
    assert "signing on servers with JWT_ALGORITHM=EdDSA" in made
    good(run("generate", JWT_ALGORITHM="HS256"))
    assert "now signs" in good(run("rotate", "--force", JWT_ALGORITHM="HS256"))


@pytest.mark.parametrize("verb", [["generate"], ["rotate"], ["list"], ["retire", "a", "--yes"]])
def test_without_a_path_the_setting_is_named(run: Run, verb: list[str]) -> None:
    text = refused(run(*verb, JWT_KEYS_FILE=""))
    assert "JWT_KEYS_FILE is missing" in text
    assert "python -m service key generate" in text


@pytest.mark.parametrize("verb", [["rotate"], ["list"], ["retire", "a", "--yes"]])
def test_without_a_file_the_command_is_named(run: Run, verb: list[str], tmp_path: Path) -> None:
    text = refused(run(*verb))
    assert "Invalid key file data/keys.json (JWT_KEYS_FILE):" in text
    assert "the file is missing; generate one with: python -m service key generate" in text
    assert not (tmp_path / "data").exists()


def test_a_bad_setting_is_named_and_those_that_do_not_matter_are_not(run: Run) -> None:
    assert "JWT_ALGORITHM must be" in refused(run("generate", JWT_ALGORITHM="none"))
    assert good(run("generate", PORT="none", JWT_SECRET_KEY="short"))
    bad = run("generate", "--algorithm", "HS256")
    assert bad.returncode == 2
    assert "is not one of" in bad.stderr


def test_a_bad_file_stops_every_verb_and_is_left_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    path.parent.mkdir()
    path.write_text('{"keys": [{"kty": "oct", "k": "AAAA"}]}')
    before = path.read_bytes()
    for verb in (["generate"], ["rotate"], ["list"], ["retire", "a", "--yes"]):
        assert "key 1 is a shared secret (kty: oct)" in refused(run(*verb))
    assert path.read_bytes() == before


def test_a_plain_set_of_one_key_can_be_rotated(run: Run, tmp_path: Path) -> None:
    good(run("generate"))
    path = tmp_path / "data" / "keys.json"
    (key,) = json.loads(path.read_text())["keys"]
    plain = {name: key[name] for name in ("kty", "crv", "x", "d")}
    path.write_text(json.dumps({"keys": [plain]}))
    assert listed(run)[0] | {"state": "signing"} == listed(run)[0]
    good(run("generate"))
    good(run("rotate", "--force"))
    assert [each["state"] for each in listed(run)] == ["verifying", "signing"]


def test_no_output_holds_a_private_part(run: Run, tmp_path: Path) -> None:
    verbs = (["generate"], ["generate"], ["rotate", "--force"], ["list"], ["list", "--json"])
    said = "".join(good(run(*verb)) for verb in verbs)
    found = json.loads((tmp_path / "data" / "keys.json").read_text())["keys"]
    assert not any(key["d"] in said for key in found)


def test_token_commands_use_the_file(run: Run, tmp_path: Path) -> None:
    good(run("generate"))
    environ = {
        "ENVIRONMENT": "test",
        "JWT_ALGORITHM": "EdDSA",
        "JWT_KEYS_FILE": "data/keys.json",
    }
    for step in (("migrate", "up"), ("seed",), ("config", "check")):
        assert command(tmp_path, *step, **environ).returncode == 0
    issued = command(tmp_path, "token", "issue", "admin", **environ).stdout
    shown = command(tmp_path, "token", "inspect", "--json", stdin=issued, **environ)
    assert json.loads(shown.stdout)["header"]["kid"] == listed(run)[0]["kid"]
    assert json.loads(shown.stdout)["verdict"] == "good"
    (tmp_path / "data" / "keys.json").unlink()
    blind = command(tmp_path, "token", "inspect", "--json", stdin=issued, **environ)
    assert json.loads(blind.stdout)["verdict"].startswith("not checked")
    assert "the file is missing" in command(tmp_path, "config", "check", **environ).stderr
