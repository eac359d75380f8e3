"""Whether a provider is still the one at which accounts were linked."""

from aiohttp import web

from service import errors
from service.db import Transaction
from service.providers import issuers
from service.telemetry import logs
from service.web import context

_OTHER_ISSUER = (
    "The address of this provider has changed in the settings, and an administrator has to confirm"
    " that its accounts are the same. Sign in another way, or ask your administrator."
)


async def require(request: web.Request, tx: Transaction, provider: str) -> None:
    """Refuse accounts of a provider that is another one than when accounts were linked.

    Raises AccountNotAllowed.
    """
    issuer = issuers.of(request.app[context.CONFIG])[provider]
    for change in await issuers.changes(tx, {provider: issuer}):
        context.log(
            request,
            "issuer_changed",
            level=logs.ERROR,
            provider=provider,
            warning=change.warning,
        )
        raise errors.AccountNotAllowed(_OTHER_ISSUER)
