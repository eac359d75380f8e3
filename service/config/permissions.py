"""Who may read and write the files that hold secrets."""

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from service.config.model import Config


def writable(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, str]]:
    """Yield the files that every user of the machine may change: keys of theirs would count."""
    for name, path in files:
        if _mode(path) & stat.S_IWOTH:
            yield name, f"names a file that every user of this machine can change. {_cure(path)}"


def readable(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the files that every user of the machine may read.

    A group may: volumes of Kubernetes are shared in this way.
    """
    files = list(config.secret_files)
    if config.database.path is not None:
        files.append(("DATABASE_URL", config.database.path))
    for name, path in files:
        mode = _mode(path)
        if mode & stat.S_IWOTH:
            yield name, f"names a file that every user of this machine can change. {_cure(path)}."
        elif mode & stat.S_IROTH:
            yield name, f"names a file that every user of this machine can read. {_cure(path)}."


def _mode(path: Path) -> int:
    """Return the mode of a file where links lead; none of what cannot be seen or is no file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return 0
    return mode if stat.S_ISREG(mode) else 0


def _cure(path: Path) -> str:
    return f"Run: chmod 600 {path}"
