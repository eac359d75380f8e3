"""Providers where anybody gets an account, and the settings that let all of them in."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from service.config import openid
from service.config.model import Config, OpenIdProvider

_EVERY_TENANT = re.compile(
    r"https://login\.microsoftonline\.com/"
    r"(?:common|organizations|consumers|9188040d-6c67-4c5b-b112-36a304b66dad)(?:/.*)?",
    re.IGNORECASE,
)
"""Addresses of Entra ID that serve every tenant, or personal accounts (by name or by its ID)."""
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
"""Claims that are the same for every account of a provider, or nearly."""


def findings(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each setting that lets every account of a public provider in, and what to do."""
    for provider in config.openid:
        if not is_public(provider.issuer) or _is_restricted(provider):
            continue
        name = openid.full_name(provider.name, "REQUIRE")
        yield name, _text(provider, name, provisions=config.provision_users)


def is_public(issuer: str) -> bool:
    """Tell whether anybody can get an account at a provider."""
    return urlsplit(issuer).hostname in _HOSTS or bool(_EVERY_TENANT.fullmatch(issuer))


def _is_restricted(provider: OpenIdProvider) -> bool:
    """Tell whether some requirement tells accounts apart; of several tenants, by the tenant."""
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
        "PROVISION_USERS=true makes everybody who has an account there a user here"
        if provisions
        else "only the links of users keep strangers out"
    )
    return (
        f"does not restrict who may sign in, and anybody can get an account at {provider.issuer}:"
        f" {effect}. Set for example {name}={example}."
    )
