"""Rotation: the rules with the time given, and a file that no two writers spoil."""

import concurrent.futures
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import Fault
from service.keys import file, file_entry, jwk, rotation
from service.keys.file_entry import Entries
from service.parsing.dates import rfc3339
from tests.support.environment import ROOT, clean_environ

NOW = 1_800_000_000
LIFE = 6 * 3600


def states(entries: Entries) -> list[str]:
    """Return the states in the order of the file."""
    return [entry.state for entry in entries]


def two(published_at: int = NOW, algorithm: str = "EdDSA") -> Entries:
    """Return a key that signs and one that was published."""
    first = rotation.generate((), algorithm, NOW - 10_000)
    return rotation.generate(first, algorithm, published_at)


def rotated(entries: Entries, now: int = NOW, algorithm: str | None = "EdDSA") -> Entries:
    return rotation.rotate(entries, algorithm, now=now, force=False)


def retired(
    entries: Entries, at: int, *, now: int, algorithm: str = "EdDSA", force: bool = False
) -> Entries:
    return rotation.retire(
        entries, entries[at].kid, algorithm=algorithm, lifetime=LIFE, now=now, force=force
    )


def test_the_whole_timeline_with_a_date_for_each_state() -> None:
    entries = two(NOW)
    assert states(entries) == ["signing", "published"]
    entries = rotated(entries, NOW + 600)
    assert states(entries) == ["verifying", "signing"]
    entries = retired(entries, 0, now=NOW + 600 + LIFE + 2)
    assert states(entries) == ["retired", "signing"]
    assert entries[0].dates == {
        "published": NOW - 10_000,
        "signing": NOW - 10_000,
        "verifying": NOW + 600,
        "retired": NOW + 600 + LIFE + 2,
    }
    assert entries[1].dates == {"published": NOW, "signing": NOW + 600}
    assert "d" not in entries[0].members
    assert entries[0].root is None


@pytest.mark.parametrize("algorithm", jwk.ALGORITHMS)
def test_a_retired_key_has_lost_every_private_part(algorithm: str) -> None:
    (entry,) = rotation.generate((), algorithm, NOW)
    gone = entry.moved("retired", NOW)
    assert not {"d", "p", "q", "dp", "dq", "qi"} & gone.members.keys()
    assert jwk.thumbprint(gone.members) == entry.kid


def test_the_first_key_of_each_algorithm_signs_at_once() -> None:
    entries = rotation.generate(two(), "ES256", NOW)
    assert states(entries) == ["signing", "published", "signing"]
    assert states(rotation.generate(entries, "ES256", NOW))[-1] == "published"


def test_rotating_leaves_other_algorithms_alone() -> None:
    entries = (*two(NOW), *two(NOW - 1000, "ES256"))
    assert states(rotated(entries, NOW + 600)) == ["verifying", "signing", "signing", "published"]
    assert states(rotated(entries, NOW, "ES256")) == [
        *("signing", "published"),
        *("verifying", "signing"),
    ]


def test_without_an_algorithm_the_oldest_published_key_of_all_is_taken() -> None:
    entries = (*two(NOW), *two(NOW - 1000, "ES256"))
    assert states(rotated(entries, NOW, None)) == ["signing", "published", "verifying", "signing"]


def test_the_oldest_published_key_is_taken_wherever_it_stands() -> None:
    entries = rotation.generate(two(NOW), "EdDSA", NOW - 700)
    assert states(rotated(entries, NOW)) == ["verifying", "published", "signing"]


@pytest.mark.parametrize(("age", "good"), [(0, False), (599, False), (600, True), (-50, False)])
def test_a_key_signs_only_when_everybody_can_know_it(age: int, *, good: bool) -> None:
    entries = two(NOW - age)
    if good:
        assert states(rotated(entries)) == ["verifying", "signing"]
    else:
        with pytest.raises(Fault, match=r"was published \d+ s ago.*wait, or use --force"):
            rotated(entries)
        forced = rotation.rotate(entries, "EdDSA", now=NOW, force=True)
        assert states(forced) == ["verifying", "signing"]


@pytest.mark.parametrize("force", [False, True])
def test_without_a_published_key_there_is_no_rotation(*, force: bool) -> None:
    for entries in ((), rotation.generate((), "EdDSA", NOW), two(NOW, "ES256")):
        with pytest.raises(Fault, match="No EdDSA key is published"):
            rotation.rotate(entries, "EdDSA", now=NOW + 9999, force=force)
    with pytest.raises(Fault, match="No key is published"):
        rotation.rotate((), None, now=NOW, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_the_key_that_signs_is_never_retired(*, force: bool) -> None:
    with pytest.raises(Fault, match=r"signs\. First run: python -m service key rotate"):
        retired(two(), 0, now=NOW + 10**8, force=force)


@pytest.mark.parametrize(
    ("later", "left"), [(0, LIFE + 2), (LIFE, 2), (LIFE + 1, 1), (LIFE + 2, 0)]
)
def test_a_key_is_retired_when_its_last_token_has_expired(later: int, left: int) -> None:
    entries = rotated(two(NOW), NOW + 600)
    now = NOW + 600 + later
    if left:
        with pytest.raises(Fault, match=f"may be valid for another {left} s"):
            retired(entries, 0, now=now)
        assert states(retired(entries, 0, now=now, force=True)) == ["retired", "signing"]
    else:
        assert states(retired(entries, 0, now=now)) == ["retired", "signing"]


def test_a_key_that_never_signed_can_go_at_once() -> None:
    assert states(retired(two(), 1, now=NOW)) == ["signing", "retired"]


def test_the_key_of_an_algorithm_that_was_left_goes_by_force() -> None:
    entries = two()
    for algorithm in ("HS256", "ES256"):
        with pytest.raises(Fault, match="signs on servers with JWT_ALGORITHM=EdDSA"):
            retired(entries, 0, now=NOW, algorithm=algorithm)
        assert retired(entries, 0, now=NOW, algorithm=algorithm, force=True)[0].state == "retired"


@pytest.mark.parametrize(
    ("algorithm", "made"),
    [
        ("EdDSA", ["EdDSA", "ES256"]),
        ("RS256", ["RS256", "EdDSA", "ES256"]),
        (None, ["EdDSA", "ES256"]),
    ],
)
def test_after_a_leak_nothing_is_left_but_new_keys_that_sign(
    algorithm: str | None, made: list[str]
) -> None:
    """One for each algorithm that a server may sign with, or that server keeps the old keys."""
    before = (*rotated(two(NOW - 600)), *two(NOW, "ES256"))
    gone = retired(before, 0, now=NOW, force=True)
    after = rotation.replace(gone, algorithm, now=NOW + 5)
    assert after[0] is gone[0]
    assert states(after[:4]) == ["retired"] * 4
    assert [(entry.algorithm, entry.state) for entry in after[4:]] == [
        (each, "signing") for each in made
    ]
    assert all(entry.root is None and "d" not in entry.members for entry in after[:4])
    assert {entry.since("retired") for entry in after[1:4]} == {NOW + 5}
    assert not {entry.kid for entry in after[4:]} & {entry.kid for entry in before}


def test_where_no_key_is_left_none_can_have_leaked() -> None:
    with pytest.raises(Fault, match="key generate"):
        rotation.replace((), "EdDSA", now=NOW)


def test_unknown_and_retired_keys_are_not_retired() -> None:
    gone = retired(two(), 1, now=NOW)
    with pytest.raises(Fault, match="is already retired"):
        retired(gone, 1, now=NOW)
    with pytest.raises(Fault, match="The key nobody does not exist"):
        rotation.retire(gone, "nobody", algorithm="EdDSA", lifetime=LIFE, now=NOW, force=True)


def test_of_unknown_dates_nothing_is_taken_for_granted() -> None:
    entries = tuple(
        file_entry.read({**jwk.generate("EdDSA"), "latchkey": {"state": state}}, alone=False)
        for state in ("signing", "published", "verifying")
    )
    with pytest.raises(Fault, match="at an unknown time"):
        rotated(entries)
    with pytest.raises(Fault, match="may be valid"):
        retired(entries, 2, now=NOW)


# --- the file -----------------------------------------------------------------------------------


def add(entries: Entries) -> Entries:
    return rotation.generate(entries, "EdDSA", NOW)


def test_the_file_is_created_for_its_owner_alone_and_kept_so(tmp_path: Path) -> None:
    path = tmp_path / "a" / "folder" / "keys.json"
    old = os.umask(0)
    try:
        file.change(path, add, create=True)
        path.chmod(0o644)
        file.change(path, add)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["keys.json", "keys.json.lock"]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    written = file.change(path, lambda _: retired(two(), 1, now=NOW), create=True)
    read = file.read(path)
    assert [file_entry.write(each) for each in read] == [file_entry.write(each) for each in written]
    (first, second) = json.loads(path.read_text())["keys"]
    assert first["latchkey"] == {
        "state": "signing",
        "published_at": rfc3339(NOW - 10_000),
        "signing_at": rfc3339(NOW - 10_000),
    }
    assert second["latchkey"]["retired_at"] == rfc3339(NOW)
    assert "d" not in second


def test_a_plain_set_keeps_what_else_it_says_and_gains_its_states(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{**jwk.generate("EdDSA"), "x5t": "kept"}]}))
    entries = file.change(path, add)
    entries = file.change(path, lambda before: rotated(before, NOW + 600))
    assert states(entries) == ["verifying", "signing"]
    first = json.loads(path.read_text())["keys"][0]
    assert first["x5t"] == "kept"
    assert first["kid"] == jwk.thumbprint(first)
    assert first["latchkey"]["verifying_at"] == rfc3339(NOW + 600)


def test_a_missing_or_bad_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(file.BadFile, match="is missing"):
        file.change(path, add)
    assert not list(tmp_path.iterdir())
    path.write_text("{")
    with pytest.raises(file.BadFile, match="is not JSON"):
        file.change(path, add, create=True)
    assert path.read_text() == "{"


def test_a_refused_change_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    file.change(path, add, create=True)
    before = path.read_bytes(), path.stat().st_ino
    with pytest.raises(Fault):
        file.change(path, rotated)
    doubled = file.read(path)
    with pytest.raises(ValueError, match="is not unique"):
        file.change(path, lambda entries: (*entries, *doubled))
    assert (path.read_bytes(), path.stat().st_ino) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    file.change(link, add, create=True)
    file.change(link, add)
    assert link.is_symlink()
    assert len(file.read(real)) == 2


def test_a_failed_write_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "keys.json"
    file.change(path, add, create=True)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(file.BadFile, match="cannot be written"):
        file.change(path, add)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys.json", "keys.json.lock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_file_of_another_user_stays_his(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    file.change(path, add, create=True)
    os.chown(path, 12345, 12345)
    (tmp_path / "keys.json.lock").unlink()
    file.change(path, add)
    for each in (path, tmp_path / "keys.json.lock"):
        assert (each.stat().st_uid, each.stat().st_gid) == (12345, 12345)
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_two_writers_never_lose_a_change_and_readers_see_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    file.change(path, add, create=True)
    program = (
        "import sys; from pathlib import Path; from service.keys import file, rotation\n"
        "for _ in range(6): file.change(Path(sys.argv[1]),"
        " lambda before: rotation.generate(before, 'EdDSA', 1))"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            cwd=ROOT,
            env=clean_environ(PYTHONPATH=str(ROOT)),
        )
        for _ in range(3)
    ]
    seen = [1]
    while any(writer.poll() is None for writer in writers):
        seen.append(len(file.read(path)))
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(file.read(path)) == 19
    assert seen == sorted(seen)
    assert len(set(seen)) > 1


def test_threads_of_one_process_wait_for_each_other_too(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: file.change(path, add, create=True), range(24)))
    assert states(file.read(path)).count("signing") == 1
    assert len(file.read(path)) == 24
