"""`.env.example` names each setting with its default."""

import re
from dataclasses import replace

import pytest
from dotenv import dotenv_values

from service.config import NAMES
from service.config.setting import Setting
from service.config.settings import SETTINGS
from tests.support.config import Read, read
from tests.support.environment import ROOT, STRONG

__all__ = ["read"]

EXAMPLE = (ROOT / ".env.example").read_text()


def test_the_example_has_one_line_for_each_setting_and_no_other() -> None:
    names = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE)
    assert sorted(names) == sorted(NAMES)


def test_the_example_sets_what_development_needs_and_nothing_else() -> None:
    assert dotenv_values(ROOT / ".env.example") == {
        "ENVIRONMENT": "development",
        "JWT_SECRET_KEY": "example-only-run-the-line-above-and-put-its-output-here",
        "BYPASS_AUTH": "true",
        "PASSWORD_AUTH": "true",
        "PASSKEY_AUTH": "true",
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_line_that_is_commented_out_shows_the_default(read: Read, setting: Setting) -> None:
    changed = re.sub(rf"^# ({setting.name}=)", r"\1", EXAMPLE, flags=re.MULTILINE)
    environ = {"JWT_SECRET_KEY": STRONG}
    assert read(environ, changed) == read(environ, EXAMPLE)


def test_the_example_with_a_fresh_key_loads(read: Read) -> None:
    fresh = re.sub(r"^JWT_SECRET_KEY=.*$", f"JWT_SECRET_KEY={STRONG}", EXAMPLE, flags=re.MULTILINE)
    assert read({}, fresh) == replace(read({}, EXAMPLE), jwt_secret_key=STRONG)
