"""What a user takes from a provider: the first user name; name and e-mail address, which follow."""

from aiohttp import web

from service import users
from service.audit import Actor
from service.db import Transaction
from service.login.sso import log
from service.login.sso.external_login import ExternalLogin
from service.providers import identities
from service.telemetry import logs
from service.users import User
from service.web import context


def new_username(request: web.Request, login: ExternalLogin) -> str:
    """Return the name of a new user. A trusted name is never adapted."""
    if login.trusted or request.app[context.CONFIG].provision_usernames == "exact":
        return login.username
    return users.adapted_username(login.username)


async def follow(
    request: web.Request, tx: Transaction, by: Actor, user: User, login: ExternalLogin
) -> User:
    """Change the facts of a user that this account created. Return the user.

    A fact that the provider does not send, or that cannot be used, stays as it is. So does an
    e-mail address if another user has the new one. `user` must have been read in this transaction.
    """
    if user["disabled"] or not request.app[context.CONFIG].provision_updates:
        return user
    changed = {
        name: value
        for name, value in (("name", login.facts.get("name")), ("email", login.facts.get("email")))
        if value and value != user[name]  # type: ignore[literal-required]  # they are fields
    }
    came = login.session
    if not (changed or login.ignored):
        return user
    if not await identities.has_created(tx, user, came.provider, came.subject):
        return user
    log.ignored_facts(request, login)
    if "email" in changed and await users.has_email(tx, changed["email"], but=user["id"]):
        del changed["email"]  # applications may identify users by it
        name = user["username"]
        context.log(request, "email_taken", level=logs.WARNING, provider=came.provider, user=name)
    return await users.update(tx, by, user, changed)
