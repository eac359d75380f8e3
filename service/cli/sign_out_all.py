"""`user sign-out --all`: all sessions end, by a clock that others confirm where they can."""

import time
from typing import NamedTuple

import click

from service import users
from service.cli import database_session, output
from service.db import Reader, Transaction
from service.errors import Fault
from service.parsing import dates
from service.system.clock_check import TOLERANCE
from service.tokens import lifetimes

_LATELY = 3600  # servers that run write a note each half hour


class _Moment(NamedTuple):
    """The time by which sessions end; `is_confirmed` if another clock agrees."""

    now: int
    is_confirmed: bool


def sign_out_all(*, yes: bool, json_form: bool) -> None:
    """End all sessions, if the clock of this machine can be right. Raises Fault."""
    now, is_confirmed = database_session.with_database(_moment)
    said = f"The clock of this machine reads {dates.rfc3339(now)}."
    if not is_confirmed:
        said += (
            " No server has run lately that could confirm it. If it is wrong, set it and repeat"
            " this command: by a fast clock nobody can sign in until that time."
        )
    if not yes:
        click.confirm(f"{said}\nSign all users out?", abort=True, err=json_form)
    elif not is_confirmed:
        click.echo(said, err=True)

    async def action(tx: Transaction) -> None:
        await users.sign_out_all(tx, database_session.operator(), (await _moment(tx)).now)

    database_session.in_transaction(action)
    output.done("Signed all users out.", action="user_sign_out", changed=True, json_form=json_form)


async def _moment(db: Reader) -> _Moment:
    """Compare the clock of this machine with that of the database and with notes of servers."""
    own, other = int(time.time()), await lifetimes.database_clock(db)
    if other is not None and own > other + TOLERANCE:
        raise Fault(
            f"The clock of this machine is {own - other} s ahead of that of the database. Set the"
            " clock first: nobody could sign in for so long."
        )
    now = own if other is None else max(own, other)
    latest = max((await lifetimes.state(db)).noted_at.values(), default=0)
    if latest > now + TOLERANCE:
        raise Fault(
            f"The clock of this machine is {latest - now} s behind that of a server. Set the"
            " clock first: tokens that were issued since would stay valid."
        )
    return _Moment(now, other is not None or now - latest <= _LATELY)
