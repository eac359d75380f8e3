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
        value = requirements.checked_email(self.documents) if claim == "email" else self._any(claim)
        return value if isinstance(value, str) else ""

    @property
    def profile(self) -> Profile:
        """The name and e-mail address of a new user, and why one of them is ignored."""
        email = requirements.checked_email(self.documents)
        found = profile.read({"name": self._any("name"), "email": email})
        if email is None and self._any("email") is not None:
            found.ignored["email"] = profile.NOT_VERIFIED
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

    def _any(self, claim: str) -> Any:
        for document in self.documents:
            with contextlib.suppress(Missing):
                return claim_values.find(document, claim)
        return None


async def fetch(
    request: web.Request, provider: OpenIdClient, tokens: TokenResponse, claims: Mapping[str, Any]
) -> Account:
    """Return the account of an ID token. Request `userinfo` if claims are missing.

    If only roles are missing, or the name and address of an existing user, `userinfo` may fail, and
    they stay unchanged. Raises LoginRejected, ProviderUnavailable, DatabaseUnavailable.
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
    if not request.app[context.CONFIG].provision_users:
        return False
    owner = await identities.by_identity(
        request.app[context.DATABASE], settings.name, claims["sub"]
    )
    if owner is not None:
        return False
    try:
        claim_values.find(claims, settings.username_claim)
    except Missing:
        return True
    return False


async def _lacks_profile(request: web.Request, account: Account) -> bool:
    """Return whether the ID token lacks facts of a user that this account created."""
    settings, (claims,) = account.settings, account.documents
    if not request.app[context.CONFIG].provision_updates or not any(
        scope in settings.scopes and claims.get(claim) is None
        for scope, claim in _PROFILE_CLAIMS.items()
    ):
        return False
    database, subject = request.app[context.DATABASE], claims["sub"]
    owner = await identities.by_identity(database, settings.name, subject)
    return owner is not None and await identities.has_created(
        database, owner, settings.name, subject
    )


def _why_failed(error: errors.ProviderUnavailable | ProviderError) -> str:
    if isinstance(error, errors.ProviderUnavailable):
        return "userinfo_unavailable"
    if isinstance(error, Unsupported):
        return "userinfo_unsupported"
    return "userinfo_invalid" if error.limit is None else "userinfo_too_large"
