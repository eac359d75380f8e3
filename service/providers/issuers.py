"""Which provider each name in the settings means: its issuer, noted in the database.

A subject is unique only within an issuer (OpenID Connect Core 5.7). Where a name means another
issuer than the one at which accounts were linked, the same subject can be another person.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.config import Config
from service.db import Database, Reader, Transaction

ACCEPT = "python -m service config accept-issuer"


@dataclass(frozen=True, slots=True)
class IssuerChange:
    """A provider's name, the issuer that accounts were linked at, and that of the settings."""

    provider: str
    before: str
    now: str

    @property
    def warning(self) -> str:
        """The error and the remedy, as a continuation of the name of the provider."""
        return (
            f"was {self.before} when accounts were linked, and is {self.now} now."
            " Sign-in with it is refused, because the same subject may be another person there. If"
            f" its accounts are the same, run: {ACCEPT} {self.provider}. If not, configure the new"
            " provider under another name"
        )


def of(config: Config) -> dict[str, str]:
    """Return the issuer of each enabled provider by name; for CAS its URL."""
    found = {provider.name: provider.issuer for provider in config.openid}
    return found if config.cas_url is None else {**found, "cas": config.cas_url}


async def changes(db: Reader, issuers: Mapping[str, str]) -> list[IssuerChange]:
    """Return the providers whose issuer differs from the recorded one."""
    noted = await _noted(db)
    return [
        IssuerChange(name, noted[name], issuer)
        for name, issuer in issuers.items()
        if noted.get(name, issuer) != issuer
    ]


async def note(
    database: Database, issuers: Mapping[str, str], *, accept_all: bool = False
) -> list[IssuerChange]:
    """Note the issuers of new names, and of those at which no account is linked.

    Return the changes that are left; with `accept_all` none. Raises DatabaseUnavailable.
    """
    noted = await _noted(database)
    if all(noted.get(name) == issuer for name, issuer in issuers.items()):
        return []
    async with database.transaction() as tx:
        for name, issuer in issuers.items():
            if accept_all or not await _is_used(tx, name):
                await accept(tx, name, issuer)
            else:
                await tx.execute(
                    "INSERT INTO provider_issuers (provider, issuer) VALUES (?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (name, issuer),
                )
        return await changes(tx, issuers)


async def accept(tx: Transaction, provider: str, issuer: str) -> None:
    """Note that the accounts of a provider are those at this issuer."""
    await tx.execute(
        "INSERT INTO provider_issuers (provider, issuer) VALUES (?, ?)"
        " ON CONFLICT (provider) DO UPDATE SET issuer = excluded.issuer",
        (provider, issuer),
    )


async def _noted(db: Reader) -> dict[str, str]:
    rows = await db.fetch_all("SELECT provider, issuer FROM provider_issuers")
    return {row["provider"]: row["issuer"] for row in rows}


async def _is_used(tx: Transaction, provider: str) -> bool:
    row = await tx.fetch_one("SELECT 1 FROM identities WHERE provider = ? LIMIT 1", (provider,))
    return row is not None
