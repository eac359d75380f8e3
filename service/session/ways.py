"""The ways in of a user: what they can sign in with, under the present settings.

The development sign-in is none.
"""

from dataclasses import dataclass

from aiohttp import web

from service.credentials import passkeys, passwords
from service.db import Database, Transaction
from service.providers import identities
from service.web import context


@dataclass(frozen=True, slots=True)
class Ways:
    """What a user can sign in with. A way counts while its setting is on."""

    password: bool
    passkeys: int
    providers: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many ways there are. Each passkey is one."""
        return int(self.password) + self.passkeys + len(self.providers)


async def of_user(request: web.Request, db: Database | Transaction, user_id: int) -> Ways:
    """Return the ways in of a user."""
    config, enabled = request.app[context.CONFIG], request.app[context.PROVIDERS]
    has_password = config.password_auth and await passwords.find(db, user_id) is not None
    keys = len(await passkeys.of_user(db, user_id)) if config.offers_passkeys else 0
    linked = {each["provider"] for each in await identities.of_user(db, user_id)}
    if config.cas_trust_usernames:
        linked.add("cas")
    return Ways(has_password, keys, tuple(sorted(linked & enabled.keys())))
