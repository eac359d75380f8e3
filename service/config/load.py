"""Load the settings from the environment and `.env`. One Fault reports all errors."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from service.config import cas, files, openid, permissions, secret_strength, sources, unsafe
from service.config.model import Config, DatabaseUrl, KeySettings
from service.config.settings import known
from service.config.sources import Values
from service.errors import Fault
from service.parsing import urls

_NO_KEYS_FILE = (
    "is missing: set the path of the private keys, such as data/keys.json, and generate the first"
    " key with: python -m service key generate"
)
_BYPASS_IN_PRODUCTION = (
    "must be false in production, because it signs users in without a password (on your own"
    " machine, set ENVIRONMENT=development; unset means production)"
)

_NOT_BELIEVED = (
    ". Its ENVIRONMENT is ignored while others can change the file: on your own"
    " machine, set ENVIRONMENT in the environment of the process"
)


def load(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> Config:
    """Load the settings. The environment overrides the file `dotenv`. Empty values count as unset.

    Raises Fault with one line for each invalid, missing, misspelt or future setting.
    """
    faults: dict[str, str] = {}
    seen = files.Seen()
    environ = sources.of_process(os.environ) if environ is None else environ
    values = sources.gather(environ, dotenv, faults, seen)
    parsed = _parse(values, faults)
    _check_together(parsed, values, faults)
    if parsed["JWT_KEYS_FILE"] is not None:
        seen.secrets["JWT_KEYS_FILE"] = parsed["JWT_KEYS_FILE"]
    if parsed["ENVIRONMENT"] != "production":
        seen.secrets.pop(str(dotenv), None)  # its secrets are for development only
    if _environment(values, environ, dotenv, seen) == "production":
        for name, fault in permissions.refused(seen.exposed, parsed["JWT_KEYS_FILE"]):
            is_believed = parsed["ENVIRONMENT"] == "production" or name != str(dotenv)
            faults.setdefault(name, fault if is_believed else f"{fault}{_NOT_BELIEVED}")
    if faults:
        raise Fault(_message(faults))
    database, openid_providers = parsed.pop("DATABASE_URL"), openid.take(parsed)
    return Config(
        database=database,
        openid=openid_providers,
        secret_files=tuple(seen.secrets.items()),
        **{name.lower(): value for name, value in parsed.items()},
    )


def load_database(
    environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")
) -> DatabaseUrl:
    """Load DATABASE_URL only, for commands that need no keys. Raises Fault."""
    found, _ = _load_some(environ, dotenv, "DATABASE_URL")
    database: DatabaseUrl = found["DATABASE_URL"]
    return database


def load_keys(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> KeySettings:
    """Load the settings of the `key` commands, which may run before others are set. Raises Fault.

    JWT_ALGORITHM, JWT_EXPIRES_IN, ENVIRONMENT, and JWT_KEYS_FILE, which is required.
    """
    names = ("JWT_KEYS_FILE", "JWT_ALGORITHM", "JWT_EXPIRES_IN")
    found, word = _load_some(environ, dotenv, *names)
    path, algorithm, expires_in = (found[name] for name in names)
    if path is None:
        raise Fault(_message({"JWT_KEYS_FILE": _NO_KEYS_FILE}))
    return KeySettings(path, algorithm, expires_in, word == "production")


def _load_some(
    environ: Mapping[str, str] | None, dotenv: Path, *names: str
) -> tuple[dict[str, Any], str]:
    """Load some settings and ENVIRONMENT, and ignore errors in all others. Raises Fault."""
    faults: dict[str, str] = {}
    seen = files.Seen()
    environ = sources.of_process(os.environ) if environ is None else environ
    values = sources.gather(environ, dotenv, faults, seen)
    parsed, word = _parse(values, faults), _environment(values, environ, dotenv, seen)
    if word == "production":
        for name, fault in permissions.refused_to_commands(seen.exposed):
            faults.setdefault(name, fault)
    for name, fault in permissions.of_root(dotenv, _paths_of_dotenv(parsed, values, environ)):
        faults.setdefault(name, fault)
    starts = (*names, ".", str(dotenv))
    faults = {name: fault for name, fault in faults.items() if name.startswith(starts)}
    if faults:
        raise Fault(_message(faults))
    return parsed, word


def environment(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> str:
    """Load ENVIRONMENT only. An invalid value counts as production.

    So does a value from a file that others can change.
    """
    environ = sources.of_process(os.environ) if environ is None else environ
    seen = files.Seen()
    return _environment(sources.gather(environ, dotenv, {}, seen), environ, dotenv, seen)


def _environment(values: Values, environ: Mapping[str, str], dotenv: Path, seen: files.Seen) -> str:
    word = values.get("ENVIRONMENT", "").lower()
    is_believed = bool(environ.get("ENVIRONMENT")) or str(dotenv) not in seen.exposed
    return word if word in {"development", "test"} and is_believed else "production"


def inherited(**settings: str) -> dict[str, str]:
    """Return the environment for a child process with these settings, which override .env."""
    return {**os.environ, **settings}


def _paths_of_dotenv(
    parsed: Mapping[str, Any], values: Values, environ: Mapping[str, str]
) -> dict[str, Path | None]:
    """Return the paths of files that commands write, as far as `.env` names them."""
    paths = {"DATABASE_URL": parsed["DATABASE_URL"].path, "JWT_KEYS_FILE": parsed["JWT_KEYS_FILE"]}
    return {name: path for name, path in paths.items() if name in values and not environ.get(name)}


def _parse(values: Values, faults: dict[str, str]) -> dict[str, Any]:
    """Return the value of every setting. An invalid one gets a fault and its default."""
    parsed: dict[str, Any] = {}
    for setting in known(values):
        text = values.get(setting.name, setting.default)
        try:
            parsed[setting.name] = None if text is None else setting.parse(text)
        except ValueError as error:
            faults.setdefault(setting.name, str(error))
            parsed[setting.name] = (
                None if setting.default is None else setting.parse(setting.default)
            )
    return parsed


def _check_together(parsed: dict[str, Any], values: Values, faults: dict[str, str]) -> None:
    """Fill in the defaults that depend on other settings, and report unsafe combinations."""
    production = parsed["ENVIRONMENT"] == "production"
    if parsed["LOG_FORMAT"] is None:
        parsed["LOG_FORMAT"] = "json" if production else "text"
    if parsed["PUBLIC_URL"] is None and not production:
        parsed["PUBLIC_URL"] = f"http://localhost:{parsed['PORT']}"
    cas.complete(parsed)
    for name, fault in _unsafe(parsed, values, production=production):
        if f"{name}_FILE" not in faults:  # it is set, but cannot be read
            faults.setdefault(name, fault)


def _unsafe(
    parsed: dict[str, Any], values: Values, *, production: bool
) -> Iterable[tuple[str, str]]:
    yield from _unfit_keys(parsed, values, production=production)
    yield from cas.unfit(parsed, production=production)
    yield from openid.unfit(parsed, production=production)
    if parsed["SIGN_IN_REDIRECT"] and not (parsed["CAS_URL"] or openid.is_any_on(parsed)):
        yield "SIGN_IN_REDIRECT", "has no effect without a provider: set CAS_URL or OIDC_ISSUER"
    yield from _unfit_domain(parsed)
    if not parsed["COOKIE_SECURE"] and parsed["COOKIE_NAME"].lower().startswith("__"):
        yield "COOKIE_NAME", "starts with __Host- or __Secure-, which requires COOKIE_SECURE=true"
    if parsed["BYPASS_AUTH"] and (strangers := unsafe.wide(parsed["TRUSTED_PROXIES"])):
        yield "TRUSTED_PROXIES", unsafe.WIDE_PROXIES.format(networks=unsafe.shown(strangers))
    if not production:
        return
    if parsed["PUBLIC_URL"] is None:
        yield "PUBLIC_URL", "is missing: set the https:// address that browsers use"
    elif not parsed["PUBLIC_URL"].startswith("https://"):
        yield "PUBLIC_URL", "must begin with https:// in production"
    if parsed["BYPASS_AUTH"]:
        yield "BYPASS_AUTH", _BYPASS_IN_PRODUCTION
    if not parsed["COOKIE_SECURE"]:
        yield "COOKIE_SECURE", "must be true in production"


def _unfit_domain(parsed: dict[str, Any]) -> Iterable[tuple[str, str]]:
    domain, public_url = parsed["COOKIE_DOMAIN"], parsed["PUBLIC_URL"]
    if domain is None or public_url is None:
        return
    host = urls.host_of(public_url)
    if host != domain and not host.endswith(f".{domain}"):
        yield "COOKIE_DOMAIN", f"must contain the host of PUBLIC_URL, {host}, or browsers reject it"
    if parsed["COOKIE_NAME"].lower().startswith("__host-"):
        yield "COOKIE_DOMAIN", "must be unset if COOKIE_NAME starts with __Host-"


def _unfit_keys(
    parsed: dict[str, Any], values: Values, *, production: bool
) -> Iterable[tuple[str, str]]:
    if parsed["JWT_ALGORITHM"] == "HS256":
        if "JWT_SECRET_KEY" not in values:
            yield "JWT_SECRET_KEY", f"is missing; {secret_strength.HOW_TO}"
    elif parsed["JWT_KEYS_FILE"] is None:
        yield "JWT_KEYS_FILE", _NO_KEYS_FILE
    for name in ("JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS"):
        if name in values and (fault := secret_strength.fault(values[name], production=production)):
            yield name, fault


def _message(faults: Mapping[str, str]) -> str:
    lines = "".join(f"\n  {name} {fault}" for name, fault in faults.items())
    return f"Invalid settings:{lines}"
