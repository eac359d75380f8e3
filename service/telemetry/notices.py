"""Warnings about settings that requests show to be missing, each logged once."""

_MOST = 16


class Notices:
    """The warnings that this process has logged: at most 16 of a kind, since clients cause them."""

    def __init__(self) -> None:
        self._logged: dict[str, set[str]] = {}

    def is_new(self, name: str, cause: str) -> bool:
        """Return whether to log a warning, and remember it."""
        logged = self._logged.setdefault(name, set())
        if cause in logged or len(logged) >= _MOST:
            return False
        logged.add(cause)
        return True
