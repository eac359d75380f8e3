"""The unit for systemd: it is sound, exposes little, and its commands work."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.client import ask
from tests.support.deployment import DEPLOY, STOP_SECONDS, Installed, has, unit

STORES = ("sqlite",)
NEEDS_SYSTEMD = pytest.mark.skipif(not has("systemd-analyze"), reason="systemd is not installed")
NEEDS_SETPRIV = pytest.mark.skipif(not has("setpriv"), reason="setpriv is not installed")


@NEEDS_SYSTEMD
def test_the_unit_is_sound(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd/latchkey.service").read_text()
    path = tmp_path / "latchkey.service"
    path.write_text(text.replace("/opt/latchkey/.venv/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@NEEDS_SYSTEMD
def test_the_unit_exposes_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15",
         str(DEPLOY / "systemd/latchkey.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@NEEDS_SETPRIV
def test_the_commands_of_the_unit_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    installed = Installed(tmp_path)
    done = installed.run(*installed.command("ExecStartPre"))
    assert done.returncode == 0, done.stderr
    assert (installed.state / "latchkey.db").stat().st_mode & 0o777 == 0o600
    with installed.serving() as process:
        until_alive(installed, process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t0" not in status
        reload = installed.command("ExecReload", MAINPID=process.pid)
        for _ in range(3):
            assert installed.run(*reload).returncode == 0
        assert ask(installed.port, "/readyz").json["status"] == "ok"
        created = installed.run(*installed.command("ExecStart")[:-1], "user", "create", "ada")
        assert created.returncode == 0, created.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0, installed.log()


def until_alive(installed: Installed, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, installed.log()
        try:
            assert ask(installed.port, "/healthz").status == 200
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(installed.log())


def test_the_unit_lets_the_first_process_tell_the_others() -> None:
    assert unit()["KillMode"] == ["mixed"]
    assert unit()["Restart"] == ["always"]  # SIGHUP is a success to systemd
    assert unit()["ExecStart"][0].endswith("-m service serve")
    assert unit()["ExecStartPre"][0].endswith("-m service migrate up")


def test_the_command_beside_the_unit_has_its_settings(tmp_path: Path) -> None:
    """The script names the folders of the unit, and hands its words on as they are."""
    script = (DEPLOY / "systemd/latchkey").read_text()
    assert f"cd {unit()['WorkingDirectory'][0]}\n" in script
    assert f"--reuid {unit()['User'][0]} --regid {unit()['Group'][0]} " in script
    (settings := tmp_path / "settings").mkdir()
    (settings / "jwt_secret_key").write_text("secret\n")
    said = tmp_path / "setpriv"
    said.write_text('#!/bin/sh\nprintf "%s\\n" "$JWT_SECRET_KEY" "$LOGNAME" "$@"\n')
    said.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", script.replace("/etc/latchkey", str(settings)), "latchkey", "a b", "*"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SUDO_USER": "alice"},
        capture_output=True,
        text=True,
        check=True,
    )
    secret, person, *words = done.stdout.splitlines()
    assert (secret, person, words[-2:]) == ("secret", "alice", ["a b", "*"])
