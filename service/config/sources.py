"""The two sources of settings, the environment and `.env`, and the files that they name."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from service.config import enclosed, files
from service.config.setting import Setting
from service.config.settings import NOT_YET, PREFIXES, known

Values = dict[str, str]
_FILE = "_FILE"


def gather(
    environ: Mapping[str, str], dotenv: Path, faults: dict[str, str], seen: files.Seen
) -> Values:
    """Merge both sources, read the files of NAME_FILE settings, and report unknown settings.

    Records the files that it reads in `seen`.
    """
    from_file = files.read_dotenv(dotenv, faults, seen)
    from_environ = {name: value for name, value in environ.items() if value}
    settings = known({**from_file, **from_environ})
    _name_strangers(settings, from_file, from_environ, faults)
    merged: Values = {}
    for setting in settings:
        name = setting.name
        spellings = {name, name + _FILE} if setting.secret else {name}
        source = from_file if spellings.isdisjoint(from_environ) else from_environ
        value = _value(setting, source, faults, seen)
        if value is None:
            continue
        merged[name] = value
        if setting.secret and name not in source:
            seen.secrets[name + _FILE] = Path(enclosed.without_ends(source[name + _FILE]))
        elif setting.secret and source is from_file and _holds_secret(name, value):
            seen.secrets[str(dotenv)] = dotenv
    return merged


def _value(
    setting: Setting, source: Mapping[str, str], faults: dict[str, str], seen: files.Seen
) -> str | None:
    name = setting.name
    plain = source.get(name)
    path = source.get(name + _FILE) if setting.secret else None
    if plain is not None and path is not None:
        faults[name] = f"is set twice, as {name} and as {name}{_FILE}: remove one"
        return plain
    if path is not None:
        return files.read_secret(name + _FILE, Path(enclosed.without_ends(path)), faults, seen)
    if plain is None:
        return None
    value = enclosed.without_ends(plain)
    if enclosed.is_quoted(value):
        faults[name] = enclosed.QUOTED
        return None
    return (value if setting.secret else value.strip()) or None


def of_process(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of the process, read as UTF-8 whatever its locale is.

    The bytes of a secret are its key. Bytes that are not UTF-8 stay lone surrogates.
    """
    utf_8 = {}
    for name, value in environ.items():
        utf_8[name] = os.fsencode(value).decode("utf-8", "surrogateescape")
    return utf_8


def _holds_secret(name: str, value: str) -> bool:
    """Return whether a value is secret; the URL of a SQLite file is not."""
    return name != "DATABASE_URL" or not value.startswith("sqlite:")


def _name_strangers(
    settings: Iterable[Setting], from_file: Values, from_environ: Values, faults: dict[str, str]
) -> None:
    names = {setting.name for setting in settings}
    secrets = {setting.name + _FILE for setting in settings if setting.secret}
    spellings = {*names, *secrets, *NOT_YET}
    for name, value in {**from_file, **from_environ}.items():
        premature = name.removesuffix(_FILE) if name.removesuffix(_FILE) in NOT_YET else name
        if premature in NOT_YET and value.strip().lower() != NOT_YET[premature]:
            faults[name] = "is not available in this version: remove it"
        if name in spellings:
            continue
        plain = name.removesuffix(_FILE)
        if plain in names:
            faults[name] = f"is not a setting; did you mean {plain}? Only secrets can be in files"
            continue
        near = difflib.get_close_matches(name, sorted(spellings), n=1, cutoff=0.8)
        if name.startswith(PREFIXES) or (near and name in from_file):
            hint = f"did you mean {near[0]}?" if near else "check its spelling, or remove it"
            faults[name] = f"is not a setting; {hint}"
