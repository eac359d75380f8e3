"""An account at an OpenID provider: user name, roles and requirements."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service import errors
from service.config import OpenIdProvider
from service.login.sso import profile
from service.login.sso.profile import Profile
from service.providers import claim_values, identities
from service.providers.claim_values import Claimed, Missing, Unreadable
from service.providers.openid import ProviderError, Unsupported, requirements
from service.providers.openid.provider import OpenIdClient
from service.providers.openid.token_endpoint import TokenResponse
from service.telemetry import logs
from service.web import context

_PROFILE_CLAIMS = {"profile": "name", "email": "email"}
"""A claim of each scope that updates need (OpenID Connect Core 5.4)."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider. `documents` are the ID token and, if requested, `userinfo`.

    `userinfo_failure` is a constant reason why userinfo could not be read, or None.
    """

    settings: OpenIdProvider
    documents: tuple[Mapping[str, Any], ...]
    userinfo_failure: str | None = None

    @property
    def username(self) -> str:
        """The name of a new user; '' if it is missing or an unverified e-mail address."""
        claim = self.settings.username_claim
        if claim == "email":
            return requirements.checked_email(self.documents) or ""
        value = next(iter(self._values(claim)), None)
        return value if isinstance(value, str) else ""

    @property
    def profile(self) -> Profile:
        """The name and e-mail address of a new user, and why one of them is ignored."""
        email = requirements.checked_email(self.documents)
        found = profile.read({"name": self._values("name"), "email": [email]})
        if (reason := requirements.why_email_ignored(self.documents)) is not None:
            found.ignored["email"] = reason
        return found

    @property
    def roles(self) -> Claimed | None:
        """The values of the roles claim; None if the provider does not control roles."""
        settings = self.settings
        if settings.roles_claim is None:
            return None
        known = {rule.value for rule in settings.roles}
        claimed = claim_values.first(self.documents, settings.roles_claim, known)
        failure = self.userinfo_failure
        if failure and isinstance(claimed, Unreadable) and claimed.reason in claim_values.NOT_THERE:
            return Unreadable(failure, claimed.partial)
        return claimed

    def has(self, claim: str) -> bool:
        """Return whether a claim about one text is in a document, and not empty."""
        return bool(self._values(claim))

    def _values(self, claim: str) -> list[Any]:
        """Return the values of a claim, without absent ones, the most trusted one first."""
        found = []
        for document in self.documents:
            with contextlib.suppress(Missing):
                found.append(claim_values.find(document, claim))
        return [value for value in found if not claim_values.is_absent(value)]


async def fetch(
    request: web.Request, provider: OpenIdClient, tokens: TokenResponse, claims: Mapping[str, Any]
) -> Account:
    """Return the account of an ID token. Request `userinfo` if claims are missing.

    If only roles, the name or the address are missing, `userinfo` may fail, and they stay as they
    are. Raises LoginRejected, ProviderUnavailable, DatabaseUnavailable.
    """
    account = Account(provider.settings, (claims,))
    lacks_essential = await _lacks_essential(request, account)
    lacks = lacks_essential or isinstance(account.roles, Unreadable)
    if not lacks and not await _lacks_profile(request, account):
        return account
    try:
        userinfo = await provider.user_info(tokens, claims["sub"])
    except (errors.ProviderUnavailable, ProviderError) as error:
        if lacks_essential:
            raise
        return Account(provider.settings, (claims,), _why_failed(error))
    return account if userinfo is None else Account(provider.settings, (claims, userinfo))


def require(request: web.Request, account: Account) -> None:
    """Raise AccountNotAllowed if an account does not meet OIDC_REQUIRE."""
    settings = account.settings
    unmet = requirements.first_unmet(
        settings.require, account.documents, roles_claim=settings.roles_claim
    )
    if unmet is None:
        return
    context.log(
        request,
        "requirement_unmet",
        level=logs.WARNING,
        provider=settings.name,
        requirement=unmet.claim,
        reason=unmet.reason,
    )
    raise errors.AccountNotAllowed


async def _lacks_essential(request: web.Request, account: Account) -> bool:
    """Return whether the ID token lacks claims that the sign-in needs."""
    settings, (claims,) = account.settings, account.documents
    if not all(requirements.is_told(each, claims) for each in settings.require):
        return True
    if not request.app[context.CONFIG].provision_users or account.has(settings.username_claim):
        return False
    database = request.app[context.DATABASE]
    return await identities.by_identity(database, settings.name, claims["sub"]) is None


async def _lacks_profile(request: web.Request, account: Account) -> bool:
    """Return whether the ID token lacks facts of a user whom this account creates, or created."""
    settings, config = account.settings, request.app[context.CONFIG]
    if not (config.provision_users or config.provision_updates) or all(
        account.has(claim) for scope, claim in _PROFILE_CLAIMS.items() if scope in settings.scopes
    ):
        return False
    database, subject = request.app[context.DATABASE], account.documents[0]["sub"]
    owner = await identities.by_identity(database, settings.name, subject)
    if owner is None:
        return config.provision_users
    return config.provision_updates and await identities.has_created(
        database, owner, settings.name, subject
    )


def _why_failed(error: errors.ProviderUnavailable | ProviderError) -> str:
    if isinstance(error, errors.ProviderUnavailable):
        return "userinfo_unavailable"
    if isinstance(error, Unsupported):
        return "userinfo_unsupported"
    return "userinfo_invalid" if error.limit is None else "userinfo_too_large"
