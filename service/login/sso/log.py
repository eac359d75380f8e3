"""The log lines about what a sign-in did not take from the provider. Values stay out."""

from aiohttp import web

from service.login.sso.external_login import ExternalLogin
from service.providers.claim_values import Unreadable
from service.providers.identities import FollowedRoles
from service.telemetry import logs
from service.users import User
from service.web import context


def ignored_facts(request: web.Request, login: ExternalLogin) -> None:
    """Log the facts about a user of this account that cannot be used."""
    for claim, reason in login.ignored.items():
        context.log(
            request,
            "fact_ignored",
            level=logs.WARNING,
            provider=login.session.provider,
            claim=claim,
            reason=reason,
            user=login.username,
        )


def roles(
    request: web.Request, login: ExternalLogin, user: User, followed: FollowedRoles | None
) -> None:
    """Log roles that were kept or do not exist, and a claim that could not be read."""
    provider, username = login.session.provider, user["username"]
    if followed is not None and followed.is_kept:
        context.log(request, "roles_kept", level=logs.WARNING, user=username)
    if followed is not None and followed.missing:
        context.log(
            request,
            "roles_missing",
            level=logs.WARNING,
            provider=provider,
            roles=",".join(sorted(followed.missing)),
            user=username,
        )
    if login.unread is not None:
        context.log(
            request,
            "userinfo_failed",
            level=logs.WARNING,
            provider=provider,
            reason=login.unread,
            user=username,
        )
    if isinstance(login.values, Unreadable):
        context.log(
            request,
            "roles_unreadable",
            level=logs.WARNING,
            provider=provider,
            claim=login.roles_claim,
            reason=login.values.reason,
            user=username,
        )
