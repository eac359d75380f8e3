"""Looking for a text anywhere in user name, name and e-mail address, whatever its case is."""

import re

from service.db import Kind

_SQLITE = "SELECT rowid AS id FROM user_search WHERE user_search MATCH ?"
_POSTGRESQL = (
    "SELECT id FROM users WHERE search_text(username, name, email) LIKE search_fold(?) ESCAPE '!'"
)


def containing(text: str, kind: Kind) -> tuple[str, list[object]]:
    """Return a select of the ids of users with `text`, of three characters or more; its values."""
    if kind == "sqlite":
        phrase = text.replace('"', '""')
        return _SQLITE, [f'"{phrase}"']
    escaped = re.sub("[!%_]", r"!\g<0>", text)
    return _POSTGRESQL, [f"%{escaped}%"]
