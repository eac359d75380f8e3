"""Warnings about public providers that all of their accounts may use to sign in."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from service.config import openid_fields
from service.config.model import Config, OpenIdProvider

_EVERY_TENANT = re.compile(
    r"https://login\.microsoftonline\.com/"
    r"(?:common|organizations|consumers|9188040d-6c67-4c5b-b112-36a304b66dad)(?:/.*)?",
    re.IGNORECASE,
)
"""Issuers of Entra ID for every tenant, or for personal accounts (by name or tenant ID)."""
_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
_HOSTS = frozenset(
    {
        "accounts.google.com", "gitlab.com", "github.com", "token.actions.githubusercontent.com",
        "appleid.apple.com", "account.apple.com", "www.facebook.com", "facebook.com",
        "limited.facebook.com", "www.linkedin.com", "linkedin.com", "login.yahoo.com",
        "api.login.yahoo.com", "login.live.com", "discord.com", "id.twitch.tv", "slack.com",
        "www.paypal.com", "login.salesforce.com", "orcid.org",
        "access.line.me", "kauth.kakao.com", "www.amazon.com", "bitbucket.org", "codeberg.org",
    }
)  # fmt: skip
_RESTRICT_NOBODY = frozenset({"email_verified", "iss", "aud"})
"""Claims with the same value for all or nearly all accounts of a provider."""


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield a warning for each public provider whose accounts may all sign in."""
    for provider in config.openid:
        if not is_public(provider.issuer) or _is_restricted(provider):
            continue
        name = openid_fields.full_name(provider.name, "REQUIRE")
        yield name, _text(provider, name, provisions=config.provision_users)


def is_public(issuer: str) -> bool:
    """Return whether anyone can create an account at a provider."""
    return urlsplit(issuer).hostname in _HOSTS or bool(_EVERY_TENANT.fullmatch(issuer))


def _is_restricted(provider: OpenIdProvider) -> bool:
    """Return whether the requirements exclude accounts; with several tenants, by tenant."""
    if _EVERY_TENANT.fullmatch(provider.issuer) and _PERSONAL not in provider.issuer.lower():
        return any(each.claim == "tid" and each.value != _PERSONAL for each in provider.require)
    return any(
        each.claim not in _RESTRICT_NOBODY and (each.claim, each.value) != ("tid", _PERSONAL)
        for each in provider.require
    )


def _text(provider: OpenIdProvider, name: str, *, provisions: bool) -> str:
    example = "hd=example.org" if "google" in provider.issuer else "email_domain=example.org"
    if _EVERY_TENANT.fullmatch(provider.issuer):
        example = "tid=THE-ID-OF-YOUR-TENANT"
    effect = (
        "PROVISION_USERS=true creates a user for every account that signs in"
        if provisions
        else "only accounts that are linked to a user can sign in"
    )
    return (
        f"does not restrict who may sign in, and anyone can create an account at {provider.issuer}:"
        f" {effect}. Set, for example, {name}={example}."
    )
