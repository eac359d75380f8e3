"""Seeds: create the users and roles of a JSON file that do not exist yet."""

from pathlib import Path
from typing import Any

from service import users
from service.audit import Actor
from service.db import Database
from service.errors import Fault, InvalidName
from service.parsing import strict_json

DEMO = Path(__file__).parent.parent.parent / "seeds" / "demo.json"
_SHAPE = 'must look like {"users": [{"username": "ada", "roles": ["editor"]}]}'

_SEEDER = Actor("seed")

Seed = list[tuple[str, tuple[str, ...]]]
"""Normalized user names, each with the names of its roles."""


def read(path: Path) -> Seed:
    """Read a seed file. Raises Fault with the position of the error."""
    try:
        document = strict_json.loads(path.read_bytes())
    except OSError as error:
        raise Fault(f"The seed file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Fault(f"The seed file {path} is not JSON: {error}.") from error
    if not isinstance(document, dict) or not isinstance(document.get("users"), list):
        raise Fault(f"The seed file {path} {_SHAPE}.")
    seed = [_entry(path, number, entry) for number, entry in enumerate(document["users"], 1)]
    first: dict[str, int] = {}
    for number, (name, _) in enumerate(seed, 1):
        if first.setdefault(name, number) != number:
            raise Fault(
                f"The seed file {path}, user {number}: {name} is a duplicate of user {first[name]}."
            )
    return seed


async def apply(database: Database, seed: Seed) -> list[str]:
    """Create the users of `seed` that do not exist, with their roles. Return their names.

    Existing users stay unchanged, so seeding twice changes nothing.
    """
    async with database.transaction() as tx:
        existing = await users.existing_usernames(tx, [name for name, _ in seed])
        missing = [(name, roles) for name, roles in seed if name not in existing]
        known = await users.role_ids(tx)
        for role in dict.fromkeys(role for _, roles in missing for role in roles):
            if role not in known:
                await users.create_role(tx, _SEEDER, role)
        await users.create_all(
            tx, _SEEDER, [users.validate(name, roles) for name, roles in missing]
        )
        return [name for name, _ in missing]


async def demo_users(database: Database) -> list[users.User]:
    """Return the demo users that exist and are enabled."""
    known = [await users.find_by_username(database, name) for name, _ in read(DEMO)]
    return [user for user in known if user is not None and not user["disabled"]]


async def are_all_users(database: Database) -> bool:
    """Return whether there are users, and all of them are demo users."""
    demo = {name for name, _ in read(DEMO)}
    found, _ = await users.page(database, users.Query(limit=len(demo) + 1))
    return bool(found) and {user["username"] for user in found} <= demo


def _entry(path: Path, number: int, entry: Any) -> tuple[str, tuple[str, ...]]:
    where = f"The seed file {path}, user {number}"
    if not isinstance(entry, dict) or not entry.keys() <= {"username", "roles"}:
        raise Fault(f"{where}: it {_SHAPE}.")
    username, roles = entry.get("username"), entry.get("roles", [])
    if not isinstance(username, str) or not isinstance(roles, list):
        raise Fault(f"{where}: it {_SHAPE}.")
    if not all(isinstance(role, str) for role in roles):
        raise Fault(f"{where}: roles must be strings.")
    try:
        unique = dict.fromkeys(users.normalize_role(role) for role in roles)
        return users.normalize_username(username), tuple(unique)
    except InvalidName as error:
        raise Fault(f"{where}: {error}") from error
