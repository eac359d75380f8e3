"""One-time codes and recovery codes: which are accepted, and that each counts once."""

import asyncio

import pyotp
import pytest

from service.credentials import recovery_codes, totp
from service.credentials.totp import State
from service.db import Database
from service.users import User, get_by_username
from tests.support.people import BY

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The secret of RFC 6238, appendix B."""
NOW = 1_111_111_111


async def admin(database: Database) -> User:
    return await get_by_username(database, "admin")


async def set_up(database: Database, *, now: int = NOW) -> list[str]:
    """Set up codes with the secret of the RFC, confirmed by the code of `now`."""
    user = await admin(database)
    async with database.transaction() as tx:
        codes = await totp.confirm(
            tx, BY, user, totp.Setup(SECRET, ""), code=pyotp.TOTP(SECRET).at(now), now=now
        )
    assert codes is not None
    return codes


async def use(database: Database, code: str, now: int) -> bool:
    user = await admin(database)
    async with database.transaction() as tx:
        return await totp.use(tx, BY, user, code, now=now)


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
async def test_codes_are_those_of_the_rfc(database: Database, now: int, code: str) -> None:
    """RFC 6238, appendix B, in its last six digits."""
    await set_up(database, now=0)
    assert await use(database, code, now)


@pytest.mark.parametrize("late", [-61, -31, -30, -1, 0, 1, 29, 30, 59, 60, 89])
async def test_a_code_counts_from_one_step_before_to_one_after(
    database: Database, late: int
) -> None:
    await set_up(database, now=0)
    start = NOW - NOW % 30
    code = pyotp.TOTP(SECRET).at(start)
    assert await use(database, code, start + late) == (-30 <= late < 60)


async def test_of_many_uses_at_once_one_counts(database: Database) -> None:
    recovery = await set_up(database, now=NOW - 3600)
    for code in (pyotp.TOTP(SECRET).at(NOW), recovery[0]):
        used = await asyncio.gather(*(use(database, code, NOW) for _ in range(20)))
        assert sorted(used) == [False] * 19 + [True]


async def test_a_used_code_of_the_step_before_does_not_hide_an_equal_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codes of two steps can be equal: one in a million."""
    await set_up(database, now=0)
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", lambda *_: "123456")
    assert [await use(database, "123456", NOW) for _ in range(4)] == [True, True, True, False]


async def test_the_clock_may_go_back_without_a_code_counting_twice(database: Database) -> None:
    await set_up(database, now=0)
    later = pyotp.TOTP(SECRET).at(NOW + 300)
    assert await use(database, later, NOW + 300)
    assert not await use(database, pyotp.TOTP(SECRET).at(NOW), NOW)
    assert not await use(database, later, NOW + 300)


async def test_recovery_codes_are_stored_as_hashes_only(database: Database) -> None:
    codes = await set_up(database)
    rows = await database.fetch_all("SELECT hash FROM recovery_codes")
    assert len(codes) == len(rows) == recovery_codes.NUMBER
    assert all(len(row["hash"]) == 64 for row in rows)
    stored = " ".join(row["hash"] for row in rows)
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


async def test_the_state_counts_the_recovery_codes_left(database: Database) -> None:
    user = await admin(database)
    assert await totp.find(database, user["id"]) is None
    codes = await set_up(database)
    assert await use(database, codes[7], NOW)
    state = await totp.find(database, user["id"])
    assert isinstance(state, State)
    assert state.recovery_codes == 9


async def test_codes_of_one_user_are_none_of_another(database: Database) -> None:
    codes = await set_up(database, now=0)
    other = await get_by_username(database, "manager")
    for code in (codes[0], pyotp.TOTP(SECRET).at(NOW)):
        async with database.transaction() as tx:
            assert not await totp.use(tx, BY, other, code, now=NOW)
        assert await use(database, code, NOW)


async def test_deleting_the_user_deletes_everything(database: Database) -> None:
    await set_up(database)
    user = await admin(database)
    async with database.transaction() as tx:
        await totp.start(tx, user, site="example.org")
        await tx.execute("DELETE FROM users WHERE id = ?", (user["id"],))
    for table in ("totp", "totp_setups", "recovery_codes"):
        assert await database.fetch_all(f"SELECT * FROM {table}") == []  # noqa: S608  # a constant


async def test_old_set_ups_are_pruned(database: Database) -> None:
    user = await admin(database)
    async with database.transaction() as tx:
        await totp.start(tx, user, site="example.org")
    assert not await totp.has_dead(database, 0)
    async with database.transaction() as tx:
        await tx.execute("UPDATE totp_setups SET expires_at = 1")
    assert await totp.has_dead(database, 0)
    assert await totp.setup(database, user["id"], "admin", site="example.org") is None
    async with database.transaction() as tx:
        assert await totp.prune(tx, 0) == 1


@pytest.mark.parametrize(
    ("username", "site", "uri"),
    [
        ("ada", "auth.example.org", "Latchkey%20auth.example.org:ada?"),
        ("ada@example.org", "::1", "Latchkey%20--1:ada%40example.org?"),
    ],
)
async def test_the_uri_names_the_service_and_the_user(
    database: Database, username: str, site: str, uri: str
) -> None:
    user = {**await admin(database), "username": username}
    async with database.transaction() as tx:
        setup = await totp.start(tx, user, site=site)  # type: ignore[arg-type]  # the same type
    assert setup.uri.startswith(f"otpauth://totp/{uri}secret={setup.secret}&issuer=")
