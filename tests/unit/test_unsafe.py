"""Settings that are valid and unsafe: refused, or named with the cure."""

from pathlib import Path

import pytest

from service import config
from service.config import Config
from service.errors import Fault
from tests.support.client import ask
from tests.support.commands import command
from tests.support.environment import SECRET, STRONG
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

DEVELOPMENT = {"ENVIRONMENT": "development", "JWT_SECRET_KEY": SECRET}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "JWT_SECRET_KEY": STRONG,
    "PUBLIC_URL": "https://auth.example.org",
}
BYPASS = {**DEVELOPMENT, "BYPASS_AUTH": "true"}
EVERYBODY = [
    "0.0.0.0/0",
    "::/0",
    "0.0.0.0/1,128.0.0.0/1",
    "10.0.0.0/8,::/1",
    "0.0.0.0/4",
    "8.0.0.0/8",
    "11.0.0.0/8,8.0.0.0/7",
    "240.0.0.0/4",
    "2000::/3",
    "2000::/4,3000::/4",
    "127.0.0.1,0.0.0.0/0",
    ",".join(f"{number}.0.0.0/8" for number in range(256)),
]
SOMEBODY = [
    "127.0.0.1/32",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "203.0.113.7",
    "104.16.0.0/13",
    "fc00::/7",
    "fd00::/8",
    "fe80::/10",
    "2400:cb00::/32",
    "::1/128",
]


def load(tmp_path: Path, environ: dict[str, str]) -> Config:
    return config.load(environ, tmp_path / ".env")


def named(tmp_path: Path, environ: dict[str, str]) -> dict[str, str]:
    """Return what is unsafe, by the setting."""
    return dict(config.findings(load(tmp_path, environ)))


@pytest.mark.parametrize("networks", EVERYBODY)
def test_proxies_at_addresses_of_strangers_go_with_no_bypass(tmp_path: Path, networks: str) -> None:
    with pytest.raises(Fault, match=r"TRUSTED_PROXIES trusts proxies at public addresses"):
        load(tmp_path, {**BYPASS, "TRUSTED_PROXIES": networks})


@pytest.mark.parametrize("environ", [DEVELOPMENT, PRODUCTION], ids=["development", "production"])
@pytest.mark.parametrize("networks", EVERYBODY)
def test_without_the_bypass_they_are_a_warning(
    tmp_path: Path, networks: str, environ: dict[str, str]
) -> None:
    found = named(tmp_path, {**environ, "TRUSTED_PROXIES": networks})
    assert found.keys() == {"TRUSTED_PROXIES"}
    assert "Set only the addresses of your proxies" in found["TRUSTED_PROXIES"]


@pytest.mark.parametrize("networks", SOMEBODY)
def test_proxies_of_ones_own_and_of_a_provider_are_fine(tmp_path: Path, networks: str) -> None:
    assert named(tmp_path, {**BYPASS, "TRUSTED_PROXIES": networks}) == {}
    assert named(tmp_path, {**BYPASS, "BYPASS_NETWORKS": networks}) == {}


@pytest.mark.parametrize("networks", EVERYBODY)
def test_a_bypass_for_everybody_is_a_warning(tmp_path: Path, networks: str) -> None:
    found = named(tmp_path, {**BYPASS, "BYPASS_NETWORKS": networks})
    assert found.keys() == {"BYPASS_NETWORKS"}
    assert "sign in as any user without a password" in found["BYPASS_NETWORKS"]
    assert named(tmp_path, {**DEVELOPMENT, "BYPASS_NETWORKS": networks}) == {}


SERVER = "postgresql://latchkey:secret@"
UNSAFE: list[tuple[dict[str, str], dict[str, str], str]] = [
    (BYPASS, {"PUBLIC_URL": "http://dev.example.org"}, "PUBLIC_URL"),
    (PRODUCTION, {"JWT_EXPIRES_IN": "31d"}, "JWT_EXPIRES_IN"),
    (DEVELOPMENT, {"JWT_SECRET_KEY": f"{STRONG} "}, "JWT_SECRET_KEY"),
    (DEVELOPMENT, {"JWT_SECRET_KEY": f"\t{STRONG}"}, "JWT_SECRET_KEY"),
    (DEVELOPMENT, {"JWT_SECRET_KEY": f"{STRONG}\u200b"}, "JWT_SECRET_KEY"),
    (DEVELOPMENT, {"JWT_SECRET_KEY_PREVIOUS": f"{STRONG}\u00a0"}, "JWT_SECRET_KEY_PREVIOUS"),
    (PRODUCTION, {"JWT_EXPIRES_IN": "365d"}, "JWT_EXPIRES_IN"),
    (PRODUCTION, {"REVOCATION_MAX_STALENESS": "7h"}, "REVOCATION_MAX_STALENESS"),
    (PRODUCTION, {"REVOCATION_MAX_STALENESS": "2h"}, "REVOCATION_MAX_STALENESS"),
    (
        DEVELOPMENT,
        {"REVOCATION_MAX_STALENESS": "10m", "JWT_EXPIRES_IN": "5m"},
        "REVOCATION_MAX_STALENESS",
    ),
    (PRODUCTION, {"ALLOWED_REDIRECTS": "https://a.test,http://b.test"}, "ALLOWED_REDIRECTS"),
    (PRODUCTION, {"CORS_ORIGINS": "https://a.test,http://localhost:5173"}, "CORS_ORIGINS"),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}db.example.org/latchkey"}, "DATABASE_URL"),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}10.0.0.7:5432/latchkey"}, "DATABASE_URL"),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}[2001:db8::7]:5432/latchkey"}, "DATABASE_URL"),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}localhost,db.example.org/latchkey"}, "DATABASE_URL"),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}localhost/latchkey?host=db.test"}, "DATABASE_URL"),
]
SAFE: list[tuple[dict[str, str], dict[str, str]]] = [
    (PRODUCTION, {}),
    (DEVELOPMENT, {}),
    (BYPASS, {}),
    (BYPASS, {"PUBLIC_URL": "http://app.test:3000"}),
    (DEVELOPMENT, {"PUBLIC_URL": "http://dev.example.org"}),
    (PRODUCTION, {"JWT_EXPIRES_IN": "30d"}),
    (PRODUCTION, {"REVOCATION_MAX_STALENESS": "1h"}),
    (PRODUCTION, {"ALLOWED_REDIRECTS": "https://a.test"}),
    (PRODUCTION, {"CORS_ORIGINS": "https://a.test"}),
    (DEVELOPMENT, {"CORS_ORIGINS": "http://localhost:5173"}),
    (DEVELOPMENT, {"ALLOWED_REDIRECTS": "http://localhost:3000"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}localhost/latchkey"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}127.0.0.1:5432/latchkey"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}[::1]:5432/latchkey"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}%2Fvar%2Frun/latchkey"}),
    (PRODUCTION, {"DATABASE_URL": "postgresql:///latchkey"}),
    (PRODUCTION, {"DATABASE_URL": "postgresql:///latchkey?host=/var/run"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}db.test/latchkey?sslmode=verify-full"}),
    (PRODUCTION, {"DATABASE_URL": f"{SERVER}db.test/latchkey?sslmode=disable"}),
    (PRODUCTION, {"LOG_LEVEL": "debug", "HOST": "0.0.0.0", "WORKERS": "8"}),  # noqa: S104
]


@pytest.mark.parametrize(("environ", "changes", "name"), UNSAFE, ids=str)
def test_what_is_unsafe_is_named_with_the_cure(
    tmp_path: Path, environ: dict[str, str], changes: dict[str, str], name: str
) -> None:
    found = named(tmp_path, {**environ, **changes})
    assert found.keys() == {name}
    assert found[name].endswith(".")
    assert "secret" not in found[name]


@pytest.mark.parametrize(("environ", "changes"), SAFE, ids=str)
def test_what_is_safe_is_not(
    tmp_path: Path, environ: dict[str, str], changes: dict[str, str]
) -> None:
    assert named(tmp_path, {**environ, **changes}) == {}


# --- Files.


def files(tmp_path: Path, mode: int) -> dict[str, dict[str, str]]:
    """Make a file of each kind with a mode; return by its setting what names it."""
    for name, text in (
        ("keys.json", "{}"),
        ("secret", STRONG),
        ("latchkey.db", ""),
        (".env", f"JWT_SECRET_KEY={STRONG}\n"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    changed = {
        "JWT_KEYS_FILE": "keys.json",
        "JWT_SECRET_KEY_FILE": "secret",
        "DATABASE_URL": "latchkey.db",
        str(tmp_path / ".env"): ".env",
    }
    for name in changed.values():
        (tmp_path / name).chmod(mode)
    return {
        "JWT_KEYS_FILE": {"JWT_KEYS_FILE": f"{tmp_path}/keys.json"},
        "JWT_SECRET_KEY_FILE": {"JWT_SECRET_KEY_FILE": f"{tmp_path}/secret"},
        "DATABASE_URL": {"DATABASE_URL": f"sqlite:///{tmp_path}/latchkey.db"},
        str(tmp_path / ".env"): {},
    }


def of_file(environ: dict[str, str], name: str, given: dict[str, str]) -> dict[str, str]:
    """Return settings with one of these files, and the secret in one place."""
    kept = {key: value for key, value in environ.items() if key != "JWT_SECRET_KEY"}
    if name in {"JWT_KEYS_FILE", "DATABASE_URL"}:
        kept = environ
    return {**kept, **given}


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o444])
def test_a_file_with_secrets_that_everybody_reads_is_a_warning(tmp_path: Path, mode: int) -> None:
    for name, given in files(tmp_path, mode).items():
        found = named(tmp_path, of_file(PRODUCTION, name, given))
        assert found.keys() == {name}
        assert "every user of this machine can read. Run: chmod 600 " in found[name]


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o777])
def test_one_that_everybody_changes_is_refused_in_production(tmp_path: Path, mode: int) -> None:
    for name, given in files(tmp_path, mode).items():
        dotenv = tmp_path / ".env"  # which is refused, whatever it sets
        dotenv.chmod(mode if name == str(dotenv) else 0o600)
        environ = of_file(PRODUCTION, name, given)
        if name == "DATABASE_URL":
            assert "can change. Run: chmod 600 " in named(tmp_path, environ)[name]
            continue
        cure = "python -m service key rotate --leaked" if name == "JWT_KEYS_FILE" else "chmod 600"
        with pytest.raises(Fault, match=rf"can change\. Run: {cure} "):
            load(tmp_path, environ)
        if name != str(tmp_path / ".env"):
            elsewhere = of_file(DEVELOPMENT, name, given)
            assert f"can change. Run: {cure} " in named(tmp_path, elsewhere)[name]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o660, 0o440])
def test_a_group_may_read_as_in_a_volume_of_kubernetes(tmp_path: Path, mode: int) -> None:
    for name, given in files(tmp_path, mode).items():
        assert named(tmp_path, of_file(PRODUCTION, name, given)) == {}


def test_the_mode_is_that_of_the_file_where_a_link_leads(tmp_path: Path) -> None:
    files(tmp_path, 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "keys.json")
    environ = {**PRODUCTION, "JWT_KEYS_FILE": f"{tmp_path}/link"}
    (tmp_path / ".env").unlink()
    assert named(tmp_path, environ) == {}
    (tmp_path / "keys.json").chmod(0o644)
    assert named(tmp_path, environ).keys() == {"JWT_KEYS_FILE"}


def test_a_dotenv_without_secrets_may_be_read_by_everybody(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8081\nDATABASE_URL=sqlite:///a.db\n")
    (tmp_path / ".env").chmod(0o644)
    assert named(tmp_path, PRODUCTION) == {}


# --- Where it is said.


def test_config_check_warns_and_succeeds(tmp_path: Path) -> None:
    done = command(tmp_path, "config", "check", **PRODUCTION, TRUSTED_PROXIES="0.0.0.0/0")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: TRUSTED_PROXIES trusts proxies at public addresses (")
    quiet = command(tmp_path, "config", "check", "--json", **PRODUCTION)
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_config_check_refuses_the_bypass_behind_proxies_of_strangers(tmp_path: Path) -> None:
    done = command(tmp_path, "config", "check", **BYPASS, TRUSTED_PROXIES="0.0.0.0/0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "TRUSTED_PROXIES trusts proxies at public addresses (0.0.0.0/0)" in done.stderr


def test_a_server_says_it_once_at_the_start(start: Start) -> None:
    server = start(BYPASS_AUTH="false", TRUSTED_PROXIES="0.0.0.0/0", WORKERS="2")
    assert ask(server.port, "/healthz").status == 200
    log = server.log(until="listening")
    log = server.log(until="unsafe_setting")
    assert log.count("unsafe_setting") == 1
    assert " warning unsafe_setting setting=TRUSTED_PROXIES " in log
