"""What sticks to a value: line ends, a byte order mark, quotes. One rule for all sources."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service import config
from service.config.enclosed import QUOTED
from service.errors import Fault
from tests.support.config import DEVELOPMENT, Read, faults, read
from tests.support.environment import ROOT, STRONG

__all__ = ["read"]

BOM = "\ufeff"
STICKS = {
    "nothing": ("", ""),
    "LF": ("", "\n"),
    "CRLF": ("", "\r\n"),
    "CR": ("", "\r"),
    "two line ends": ("", "\n\r\n"),
    "BOM": (BOM, ""),
    "BOM and CRLF": (BOM, "\r\n"),
}
QUOTES = ['"{}"', "'{}'", "`{}`", "\u201c{}\u201d", '"{}"\r\n', BOM + "'{}'\n", ' "{}" ']
OPENID = {"OIDC_ISSUER": "https://id.example.org", "OIDC_CLIENT_ID": "a"}
URL = "postgresql://ada:s3cret@db/users"
SECRETS: dict[str, tuple[str, Callable[[config.Config], str | None]]] = {
    "JWT_SECRET_KEY": (STRONG, lambda loaded: loaded.jwt_secret_key),
    "JWT_SECRET_KEY_PREVIOUS": (STRONG[::-1], lambda loaded: loaded.jwt_secret_key_previous),
    "DATABASE_URL": (URL, lambda loaded: loaded.database.url),
    "OIDC_CLIENT_SECRET": ("of the client", lambda loaded: loaded.openid[0].client_secret),
}


def given(name: str) -> dict[str, str]:
    """Return the environment for a secret: all other settings."""
    return {key: value for key, value in {**DEVELOPMENT, **OPENID}.items() if key != name}


@pytest.mark.parametrize("sticks", STICKS.values(), ids=STICKS)
@pytest.mark.parametrize("name", SECRETS)
def test_what_sticks_to_a_secret_is_not_part_of_it(
    read: Read, tmp_path: Path, name: str, sticks: tuple[str, str]
) -> None:
    value, loaded = SECRETS[name]
    text = value.join(sticks)
    (tmp_path / "file").write_bytes(text.encode())
    environ = given(name)
    assert loaded(read({**environ, name: text})) == value
    assert loaded(read({**environ, f"{name}_FILE": f"{tmp_path}/file"})) == value
    assert loaded(read(environ, f"{name}_FILE={tmp_path}/file\r\n")) == value
    assert loaded(read({**environ, f"{name}_FILE": f"{tmp_path}/file".join(sticks)})) == value


@pytest.mark.parametrize("text", ['"quoted"', "", "\0a\0b"], ids=["quoted", "empty", "utf-16"])
def test_a_file_that_cannot_be_used_is_not_a_missing_secret(
    read: Read, tmp_path: Path, text: str
) -> None:
    """The remedy of a missing secret, a new one, would sign all users out."""
    (tmp_path / "file").write_text(text)
    with pytest.raises(Fault) as refused:
        read({**given("JWT_SECRET_KEY"), "JWT_SECRET_KEY_FILE": f"{tmp_path}/file"})
    assert "JWT_SECRET_KEY_FILE names" in str(refused.value) or "must be" in str(refused.value)
    assert "is missing" not in str(refused.value)


@pytest.mark.parametrize("form", QUOTES)
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_quotes_is_refused_wherever_it_is(
    read: Read, tmp_path: Path, name: str, form: str
) -> None:
    text = form.format(SECRETS[name][0])
    (tmp_path / "file").write_bytes(text.encode())
    assert f"{name} {QUOTED}" in faults(read, {**given(name), name: text})
    assert f"{name}_FILE names a file whose text {QUOTED}" in faults(
        read, {**given(name), f"{name}_FILE": f"{tmp_path}/file"}
    )


def test_quotes_of_dotenv_are_no_part_of_the_value_and_those_within_are_refused(read: Read) -> None:
    environ = given("JWT_SECRET_KEY")
    assert read(environ, f'JWT_SECRET_KEY="{STRONG}"\r\n').jwt_secret_key == STRONG
    assert faults(read, environ, f"JWT_SECRET_KEY='\"{STRONG}\"'")[0] == f"JWT_SECRET_KEY {QUOTED}"


@pytest.mark.parametrize("secret", [f'"{STRONG}', f"{STRONG}'", f'{STRONG}"{STRONG}', f" {STRONG}"])
def test_a_quote_or_blank_that_encloses_nothing_is_part_of_a_secret(
    read: Read, secret: str
) -> None:
    assert read({**DEVELOPMENT, "JWT_SECRET_KEY": secret}).jwt_secret_key == secret


@pytest.mark.parametrize("text", ['"8080"', "'8080'"])
def test_another_setting_in_quotes_is_refused_as_well(read: Read, text: str) -> None:
    assert faults(read, {**DEVELOPMENT, "PORT": text}) == [f"PORT {QUOTED}"]
    assert faults(read, {**DEVELOPMENT, "JWT_AUDIENCE": text}) == [f"JWT_AUDIENCE {QUOTED}"]


def test_a_byte_order_mark_and_a_line_end_do_not_stick_to_another_setting(read: Read) -> None:
    loaded = read({**DEVELOPMENT, "PORT": "\ufeff9000\r", "JWT_AUDIENCE": "app\r\n"})
    assert (loaded.port, loaded.jwt_audience) == (9000, "app")


@pytest.mark.parametrize("text", ["sqlite:///a\nb.db", "sqlite:///a\rb", "sqlite:///a\u200b.db"])
def test_an_address_of_a_database_with_a_hidden_character_is_refused(read: Read, text: str) -> None:
    (fault,) = faults(read, {**DEVELOPMENT, "DATABASE_URL": text})
    assert fault.startswith("DATABASE_URL contains a character that cannot be displayed")


def test_a_blank_after_an_address_is_no_part_of_the_name_of_a_file(read: Read) -> None:
    loaded = read({**DEVELOPMENT, "DATABASE_URL": " sqlite:///users.db \r"})
    assert loaded.database.path == Path("users.db")


def test_the_addresses_of_db_copy_follow_the_rule(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{BOM}sqlite:///users.db\r\n")
    assert config.database_in(tmp_path / "url").path == Path("users.db")
    assert config.database("\ufeffsqlite:///users.db\r").path == Path("users.db")
    with pytest.raises(ValueError, match="enclosed in quotes"):
        config.database('"sqlite:///users.db"')


# --- `.env` that is no plain file of UTF-8.


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_dotenv_or_a_secret_in_utf_16_is_named(read: Read, tmp_path: Path, encoding: str) -> None:
    why = "it is UTF-16, or has NUL characters; save it as UTF-8"
    (tmp_path / "file").write_bytes(STRONG.encode(encoding))
    assert faults(read, DEVELOPMENT, "PORT=9000\n".encode(encoding)) == [
        f"{tmp_path}/.env cannot be read: {why}"
    ]
    environ = {**DEVELOPMENT, "JWT_SECRET_KEY_PREVIOUS_FILE": f"{tmp_path}/file"}
    assert faults(read, environ) == [
        f"JWT_SECRET_KEY_PREVIOUS_FILE must be the path of a readable text file: {why}"
    ]


def test_a_folder_or_a_device_in_the_place_of_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    for name, why in (("folder", "it is a folder"), ("device", "it is neither a file nor a pipe")):
        with pytest.raises(Fault, match=why):
            config.load(DEVELOPMENT, tmp_path / name)


def test_a_dotenv_that_is_a_pipe_is_read_as_often_as_a_command_needs(tmp_path: Path) -> None:
    pipe = tmp_path / ".env"
    os.mkfifo(pipe)
    writer = threading.Thread(
        target=pipe.write_text, args=("PORT=9000\nDATABASE_URL=sqlite:///users.db\n",)
    )
    writer.start()
    assert config.load(DEVELOPMENT, pipe).port == 9000
    writer.join()
    assert config.load_database(DEVELOPMENT, pipe).path == Path("users.db")


def test_the_example_is_read_with_line_ends_of_windows_and_a_byte_order_mark(read: Read) -> None:
    example = (ROOT / ".env.example").read_bytes()
    environ = {"JWT_SECRET_KEY": STRONG}
    plain = read(environ, example)
    assert read(environ, b"\xef\xbb\xbf" + example.replace(b"\n", b"\r\n")) == plain


def test_the_bytes_of_a_secret_in_the_environment_do_not_depend_on_the_locale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The encoding of a locale is simulated: `os.environ` decodes by it."""
    environ = {**given("JWT_SECRET_KEY"), "JWT_SECRET_KEY": f"{STRONG}\u00c3\u00a9"}
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("latin-1"))
    monkeypatch.setattr(os, "environ", environ)
    assert config.load(None, tmp_path / "no.env").jwt_secret_key == f"{STRONG}\u00e9"
