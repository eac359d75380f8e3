"""The permissions of files that contain secrets."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.config.model import Config
from service.system import file_access, file_owner
from service.system.file_access import Exposure

_KEYS = "JWT_KEYS_FILE"
_REPLACE_KEYS = "python -m service key rotate --leaked --yes"
_STRANGE_KEYS = (
    " (others may have added keys: this replaces all keys, and all users must sign in again)"
)
_OF_ROOT = (
    "names a path in folders of root, but .env belongs to another user. Run the command as that"
    " user, or set {name} in the environment of the command"
)
_STRANGE_TEXT = ", and check the file: others may have changed its content"


def refused(seen: Mapping[str, Exposure], keys: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the files that others can change: those that were read, and the key file.

    The key file is read later, and checked again then (service.keys).
    """
    found = None if keys is None else file_access.at(keys)
    for name, exposed in (*seen.items(), (_KEYS, found)):
        if exposed is not None:
            yield name, _changeable(name, exposed)


def refused_to_commands(seen: Mapping[str, Exposure]) -> Iterator[tuple[str, str]]:
    """Yield the read files that others can change. Root may read those of the service's user."""
    for name, exposed in seen.items():
        if not exposed.is_owners or os.geteuid() != 0:
            yield name, _changeable(name, exposed)


def of_root(dotenv: Path, from_file: Mapping[str, Path | None]) -> Iterator[tuple[str, str]]:
    """Yield the settings of another user's `.env` that name a path of root, if root runs this.

    A command would write there with the rights of root. `from_file` are the paths that come from
    `dotenv`.
    """
    if file_owner.is_of_another(dotenv):
        for name, path in from_file.items():
            if path is not None and file_owner.is_roots(dotenv.absolute().parent / path):
                yield name, _OF_ROOT.format(name=name)


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the files that others can change, or that every user of the machine can read.

    A group may read, as in Kubernetes volumes.
    """
    files = list(config.secret_files)
    if config.database.path is not None:
        files.append(("DATABASE_URL", config.database.path))
    for name, path in files:
        if (exposed := file_access.at(path)) is not None:
            yield name, f"{_changeable(name, exposed)}."
        elif (facts := _regular(path)) is not None and facts.st_mode & stat.S_IROTH:
            cure = file_access.private(path, facts)
            yield name, f"names a file that every user of this machine can read. Run: {cure}."


def keys_cure(exposed: Exposure) -> str:
    """Return the remedy for a key file that others can change: its keys may be theirs.

    If new keys replace the file, its permissions are not fixed first: servers would then read it.
    """
    command = _REPLACE_KEYS if exposed.ends_with_file else exposed.run(_REPLACE_KEYS)
    return command + _STRANGE_KEYS


def _changeable(name: str, exposed: Exposure) -> str:
    cure = keys_cure(exposed) if name == _KEYS else exposed.run() + _STRANGE_TEXT
    return f"names a file {exposed.what}. Run: {cure}"


def _regular(path: Path) -> os.stat_result | None:
    """Return the status of a regular file, following links, else None."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None
