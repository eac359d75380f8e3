"""`token issue|inspect`."""

import sys

import click

from service import config, errors, keys, users
from service.cli import database_session, output
from service.config import parse
from service.db import Transaction
from service.errors import Fault
from service.parsing import dates
from service.tokens import issuer as tokens
from service.tokens import jws, lifetimes
from service.tokens.claims import Claims


class _Duration(click.ParamType[int]):
    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            return parse.duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def token() -> None:
    """Issue and inspect tokens."""


@token.command()
@click.argument("username")
@click.option(
    "--expires-in",
    type=_Duration(),
    help="The lifetime, such as 15m. Default and maximum: JWT_EXPIRES_IN.",
)
@output.as_json
def issue(username: str, expires_in: int | None, json_form: bool) -> None:
    """Print a bearer token for USERNAME."""
    settings = config.load()
    if expires_in is not None and expires_in > settings.jwt_expires_in:
        raise Fault(f"--expires-in must be at most {settings.jwt_expires_in} s (JWT_EXPIRES_IN).")
    issuer = tokens.TokenIssuer(settings, keys.load(settings))

    seconds = issuer.lifetime if expires_in is None else expires_in
    issued, claims = database_session.in_transaction(
        lambda tx: noted_token(tx, issuer, username, seconds)
    )
    lasts = claims["exp"] - claims["iat"]
    facts = {"token": issued, "token_type": "Bearer", "expires_in": lasts}
    output.done(issued, **facts, json_form=json_form)


async def noted_token(
    tx: Transaction, issuer: tokens.TokenIssuer, username: str, seconds: int
) -> tuple[str, Claims]:
    """Issue a token for `username` and record its expiry, so that revocations outlive it.

    Raises UserNotFound, and Fault if the user is disabled.
    """
    user = await users.get_by_username(tx, username)
    if user["disabled"]:
        raise Fault(f"The user {user['username']} is disabled. Run: user enable {user['username']}")
    issuer.horizon = await lifetimes.note(tx, seconds, issuer.now())
    issuer.not_before = (await lifetimes.state(tx)).not_before
    return issuer.issue(user, amr=("cli",), expires_in=seconds)


@token.command()
@click.argument("token", default="-")
@output.as_json
def inspect(token: str, json_form: bool) -> None:
    """Decode TOKEN and verify it with the settings. Exits with 1 if it is not valid.

    Without TOKEN, or with "-", the command reads standard input. This keeps the token out of the
    shell history and the process list.
    """
    if token == "-":  # noqa: S105  # not a password but "standard input"
        token = sys.stdin.buffer.read().decode("ascii", "replace")
    token = token.strip().removeprefix("Bearer ").strip()
    try:
        header, claims = jws.peek(token)
    except errors.TokenInvalid:
        raise Fault("Not a JWT. A JWT has three base64url parts, separated by dots.") from None
    verdict = _verdict(token)
    if json_form:
        output.show_one({"header": header, "claims": claims, "verdict": verdict}, json_form=True)
    else:
        shown = {f"header {name}": value for name, value in header.items()}
        dated = {name: _with_date(name, value) for name, value in claims.items()}
        shown = {**shown, **dated, **shown}  # headers come first, and no claim replaces one
        output.show_one({**shown, "verdict": verdict}, json_form=False)
    if verdict != "good":
        raise click.exceptions.Exit(1)


def _verdict(token: str) -> str:
    """Return `good`, the reason why the token is invalid, or that the settings are invalid."""
    try:
        settings = config.load()
        verifier = tokens.TokenIssuer(settings, keys.load(settings))
    except Fault:
        return "not checked: the settings are invalid; run: config check"
    try:
        verifier.verify(token)
    except errors.Problem as problem:
        return f"{problem.code}: {problem.detail}"
    return "good"


def _with_date(name: str, value: object) -> object:
    if name in {"exp", "iat", "nbf", "auth_time"} and type(value) is int and 0 <= value < 10**11:
        return f"{value} ({dates.rfc3339(value)})"
    return value
