"""Who may read and change the files that hold secrets."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.config.model import Config
from service.system import file_access
from service.system.file_access import Exposure


def refused(seen: Mapping[str, Exposure], keys: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the files that others can change: those that were read, and the file of keys.

    That one is read later, and refused once more by what it is then (service.keys).
    """
    found = None if keys is None else file_access.at(keys)
    for name, exposed in (*seen.items(), ("JWT_KEYS_FILE", found)):
        if exposed is not None:
            yield name, _changeable(exposed)


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the files that others can change, or that every user of the machine may read.

    A group may read: volumes of Kubernetes are shared in this way.
    """
    files = list(config.secret_files)
    if config.database.path is not None:
        files.append(("DATABASE_URL", config.database.path))
    for name, path in files:
        if (exposed := file_access.at(path)) is not None:
            yield name, f"{_changeable(exposed)}."
        elif _mode(path) & stat.S_IROTH:
            yield (
                name,
                (f"names a file that every user of this machine can read. Run: chmod 600 {path}."),
            )


def _changeable(exposed: Exposure) -> str:
    return f"names a file {exposed.what}. Run: {exposed.cure}"


def _mode(path: Path) -> int:
    """Return the mode of a file where links lead; none of what cannot be seen or is no file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return 0
    return mode if stat.S_ISREG(mode) else 0
