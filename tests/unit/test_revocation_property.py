"""Revocations outlive tokens: whatever happens, and whatever the clocks say, in any order.

The model knows which tokens were revoked. No replica may ever accept one of these again, and a
replica with a right clock has to accept all others of right clocks until they expire.
"""

import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from service import db, errors, keys, users
from service.cli.tokens import noted_token
from service.db import Database
from service.system.clock_check import TOLERANCE
from service.tokens.claims import Claims
from service.tokens.issuer import TokenIssuer
from tests.support import people
from tests.support.environment import Settings
from tests.support.stores import run_sql
from tests.support.thoroughness import some
from tests.support.worlds import HOUR, Process, World

ROUNDS = int(os.environ.get("LATCHKEY_ROUNDS", some(6)))
STEPS = 30
REPLICAS = 3
LIVES = (600, HOUR, 6 * HOUR, 12 * HOUR)
ERRORS = (0, 0, 0, 3, 60, -60, 7 * HOUR, -7 * HOUR, 3 * 86400, -3 * 86400)
PASSING = (1, 30, 600, 1800, 2 * HOUR, 7 * HOUR, 15 * HOUR)
NAMES = ("admin", "manager", "user")
RESTORED = ("changes", "token_lifetimes", "revocation_state", "users", "user_roles")


@dataclass
class Issued:
    """A token, and what the model knows of it."""

    token: str
    claims: Claims
    is_by_right_clock: bool
    is_revoked: bool = False


@dataclass
class Simulation:
    """Some replicas on one database, and a model of what must hold."""

    world: World
    chance: random.Random
    replicas: list[Process]
    operator: Database
    settings: Settings
    issued: list[Issued] = field(default_factory=list)
    backup: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)

    def any_replica(self) -> Process:
        """Return one of them."""
        return self.chance.choice(self.replicas)

    def any_token(self) -> Issued | None:
        """Return one of the tokens, revoked or not."""
        return self.chance.choice(self.issued) if self.issued else None

    def revoke(self, condition: Callable[[Claims], bool]) -> None:
        """Let the tokens of this kind be revoked in the model."""
        for each in self.issued:
            each.is_revoked = each.is_revoked or condition(each.claims)

    async def step(self) -> None:
        """Do something, and check everything."""
        action = self.chance.choice(ACTIONS)
        self.history.append(action.__name__)
        await action(self)
        for replica in self.replicas:
            await replica.feed.catch_up()
        await self.check()

    async def check(self) -> None:
        """Compare every replica with the model, for every token."""
        for replica in self.replicas:
            for each in self.issued:
                is_accepted = await replica.accepts_by_memory(each.token)
                if each.is_revoked:
                    assert not is_accepted, (self.history, each, replica.error)
                elif (
                    each.is_by_right_clock
                    and replica.error == 0
                    and each.claims["exp"] > self.world.now
                ):
                    assert is_accepted, (self.history, each, replica.feed.state)

    def add(self, issued: tuple[str, Claims], *, error: float, is_revoked: bool = False) -> None:
        """Remember a new token."""
        self.issued.append(Issued(*issued, error == 0, is_revoked))

    async def act(self, change: Callable[[db.Transaction], Awaitable[Any]]) -> None:
        """Change something as a command does, whatever its clock says."""
        async with self.operator.transaction() as tx:
            await change(tx)


async def sign_in(world: Simulation) -> None:
    """Sign somebody in; the user may be revoked while that is under way."""
    replica, name = world.any_replica(), world.chance.choice(NAMES)
    user = await users.get_by_username(world.operator, name)
    if user["disabled"]:
        return
    is_late = world.chance.random() < 0.2
    if is_late:
        await world.act(lambda tx: users.sign_out(tx, people.BY, user["id"]))
        world.revoke(lambda claims: claims["id"] == user["id"])
    try:
        issued = replica.tokens.issue(user, amr=("cli",))
    except errors.DatabaseUnavailable:  # the clock was set
        await replica.tend()
        issued = replica.tokens.issue(user, amr=("cli",))
    world.add(issued, error=replica.error, is_revoked=is_late)


async def exchange(world: Simulation) -> None:
    """Exchange a token at a replica that may not have heard of the last change."""
    replica, each = world.any_replica(), world.any_token()
    if each is None:
        return
    if world.chance.random() < 0.3:
        role = world.chance.choice((users.grant, users.revoke))
        user = await users.find_by_id(world.operator, each.claims["id"])
        assert user is not None
        await world.act(lambda tx: role(tx, people.BY, user["username"], "view_documents"))
        await replica.feed.catch_up()
    if world.chance.random() < 0.3:
        await world.act(lambda tx: users.sign_out(tx, people.BY, each.claims["id"]))
        world.revoke(lambda claims: claims["id"] == each.claims["id"])
    try:
        claims = await replica.feed.check(replica.tokens.verify(each.token))
    except errors.Unauthenticated:
        return
    is_right = each.is_by_right_clock and replica.error == 0
    issued = replica.tokens.exchange(each.token, claims)
    world.add(issued, error=0 if is_right else 1, is_revoked=each.is_revoked)


async def issue_by_command(world: Simulation) -> None:
    """`token issue`, by settings with a longer life than the servers have."""
    settings = world.settings(JWT_EXPIRES_IN=str(24 * HOUR))
    error = world.chance.choice(ERRORS)
    issuer = TokenIssuer(settings, keys.load(settings), clock=lambda: world.world.now + error)
    user = await users.get_by_username(world.operator, world.chance.choice(NAMES))
    if not user["disabled"]:
        seconds = world.chance.choice((*LIVES, 24 * HOUR))
        async with world.operator.transaction() as tx:
            issued = await noted_token(tx, issuer, user["username"], seconds)
        world.add(issued, error=error)


async def sign_out(world: Simulation) -> None:
    """End one session, or all of a user, with a token that is accepted."""
    replica, each = world.any_replica(), world.any_token()
    if each is None or not await replica.accepts(each.token):
        return
    if world.chance.random() < 0.5:
        await people.end_session(replica.database, replica.feed, each.claims)
        world.revoke(lambda claims: claims["sid"] == each.claims["sid"])
    else:
        await people.sign_out(replica.database, replica.feed, each.claims)
        world.revoke(lambda claims: claims["id"] == each.claims["id"])


async def disable_or_enable(world: Simulation) -> None:
    """Disable somebody, or enable: both end sessions."""
    user = await users.get_by_username(world.operator, world.chance.choice(NAMES[1:]))
    wanted = not user["disabled"]
    await world.act(lambda tx: users.set_disabled(tx, people.BY, user["username"], disabled=wanted))
    world.revoke(lambda claims: claims["id"] == user["id"])


async def change_role(world: Simulation) -> None:
    """Give or take a role, which ends nothing."""
    change = world.chance.choice((users.grant, users.revoke))
    name = world.chance.choice(NAMES)
    await world.act(lambda tx: change(tx, people.BY, name, "add_documents"))


async def restart(world: Simulation) -> None:
    """Start a replica again, perhaps with other settings."""
    replica = world.any_replica()
    replica.life = world.chance.choice(LIVES)
    await replica.start()


async def set_clock(world: Simulation) -> None:
    """Set the clock of a replica; all notice within a second. Never are all wrong at once."""
    world.any_replica().error = world.chance.choice(ERRORS)
    if all(replica.error for replica in world.replicas):
        world.any_replica().error = 0
    await everybody_tends(world)


async def pass_time(world: Simulation) -> None:
    """Let time pass, while all replicas do what is due."""
    left = world.chance.choice(PASSING)
    while left > 0:
        world.world.pass_by(min(left, 1800))
        left -= 1800
        await everybody_tends(world)


async def everybody_tends(world: Simulation) -> None:
    """Let every replica see what the others have just written."""
    for _ in range(2):
        for replica in world.replicas:
            await replica.tend()


async def save(world: Simulation) -> None:
    """Make a backup."""
    world.backup = {
        table: await world.operator.fetch_all(f"SELECT * FROM {table}")  # noqa: S608
        for table in RESTORED
    }


async def restore(world: Simulation) -> None:
    """Restore the backup, with the command that belongs to it; servers may go on meanwhile."""
    if not world.backup:
        return
    async with world.operator.transaction() as tx:
        for table in reversed(RESTORED):
            await tx.execute(f"DELETE FROM {table}")  # noqa: S608
        for table in RESTORED:
            for row in world.backup[table]:
                marks = ", ".join("?" * len(row))
                columns = ", ".join(row)
                await tx.execute(
                    f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
                    tuple(row.values()),
                )
    last = max((row["seq"] for row in world.backup["changes"]), default=0)
    if world.operator.kind == "sqlite":
        run_sql(
            world.world.where, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'changes'", last
        )
    else:
        run_sql(
            world.world.where,
            "SELECT setval(pg_get_serial_sequence('changes', 'seq'), ?, ?)",
            max(last, 1),
            last > 0,
        )
    now = int(world.world.now)
    await world.act(lambda tx: users.sign_out_all(tx, people.BY, now))
    # A session of a clock that is faster than that has a later start: for that there are new keys.
    world.issued = [each for each in world.issued if each.claims["auth_time"] <= now + TOLERANCE]
    world.revoke(lambda _: True)
    world.world.pass_by(2)
    if world.chance.random() < 0.5:
        for replica in world.replicas:
            await replica.start()
    for replica in world.replicas:
        await replica.tend()


ACTIONS = (
    *(sign_in, sign_in, exchange, issue_by_command, sign_out, disable_or_enable, change_role),
    *(restart, set_clock, pass_time, pass_time, save, restore),
)


@pytest.fixture
async def simulation(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Simulation]:
    """Yield some replicas on one database."""
    monkeypatch.setattr("service.revocation.events.rows.time.time", lambda: world.now)
    opened, databases = [], []
    for _ in range(REPLICAS + 1):
        context = db.connect(world.where)
        databases.append(await context.__aenter__())
        opened.append(context)
    operator, *others = databases
    replicas = [Process(world, each, settings) for each in others]
    for replica in replicas:
        await replica.start()
    yield Simulation(world, random.Random(0), replicas, operator, settings)  # noqa: S311
    for each in opened:
        await each.__aexit__(None, None, None)


async def test_revocations_outlive_tokens(simulation: Simulation) -> None:
    for number in range(ROUNDS):
        simulation.chance = random.Random(number)  # noqa: S311
        simulation.issued.clear()
        simulation.backup.clear()
        simulation.history = [f"round {number}"]
        for name in NAMES[1:]:
            await simulation.act(
                partial(users.set_disabled, by=people.BY, username=name, disabled=False)
            )
        for _ in range(STEPS):
            await simulation.step()
