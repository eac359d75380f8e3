"""`user sign-out --all`: end all sessions, after a check of the clock of this machine."""

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

_LATELY = 3600  # running servers record their clock every half hour


class _Moment(NamedTuple):
    """The current time in seconds; `is_confirmed` if another clock agrees."""

    now: int
    is_confirmed: bool


def sign_out_all(*, yes: bool, json_form: bool) -> None:
    """End all sessions. Raises Fault if the clock of this machine is wrong."""
    now, is_confirmed = database_session.with_database(_moment)
    notice = f"The clock of this machine reads {dates.rfc3339(now)}."
    if not is_confirmed:
        notice += (
            " No server ran in the last hour to confirm it. If it is wrong, set it and repeat this"
            " command: if it is fast, no user can sign in until that time."
        )
    if not yes:
        click.confirm(f"{notice}\nSign all users out?", abort=True, err=json_form)
    elif not is_confirmed:
        click.echo(notice, err=True)

    async def action(tx: Transaction) -> None:
        await users.sign_out_all(tx, database_session.operator(), (await _moment(tx)).now)

    database_session.in_transaction(action)
    output.done("Signed all users out.", action="user_sign_out", changed=True, json_form=json_form)


async def _moment(db: Reader) -> _Moment:
    """Compare the clock of this machine with the database and the records of the servers."""
    own, other = int(time.time()), await lifetimes.database_clock(db)
    if other is not None and own > other + TOLERANCE:
        raise Fault(
            f"The clock of this machine is {own - other} s ahead of the clock of the database. Set"
            " it first; otherwise no user could sign in for that time."
        )
    now = own if other is None else max(own, other)
    latest = max((await lifetimes.state(db)).noted_at.values(), default=0)
    if latest > now + TOLERANCE:
        raise Fault(
            f"The clock of this machine is {latest - now} s behind the clock of a server. Set it"
            " first; otherwise tokens that were issued since then would stay valid."
        )
    return _Moment(now, other is not None or now - latest <= _LATELY)
