"""The audit's table: what was recorded stays, whoever writes to the database."""

import pytest

from service import audit
from service.db import ConstraintError, Database
from tests.support.people import BY

REPLACE = (
    "INSERT OR REPLACE INTO audit SELECT id, at, 9, 'forged', action, target_id, target,"
    " detail, client, request_id FROM audit"
)
UPSERT = "INSERT INTO audit SELECT * FROM audit WHERE true ON CONFLICT (id) DO UPDATE SET actor='x'"
BOTH = ("UPDATE audit SET actor = 'somebody else'", "DELETE FROM audit", UPSERT)


@pytest.mark.parametrize(
    ("store", "statement"),
    [
        *(("sqlite", statement) for statement in (*BOTH, REPLACE)),
        *(("postgresql", statement) for statement in (*BOTH, "TRUNCATE audit")),
    ],
    ids=lambda value: value.partition(" INTO")[0].lower().replace(" ", "-"),
    indirect=["store"],
)
async def test_what_was_recorded_stays(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await audit.record(tx, BY, "role_create", (1, "editor"))
    before, _ = await audit.page(database, audit.Query(limit=100))
    with pytest.raises(ConstraintError, match="only appended to"):
        async with database.transaction() as tx:
            await tx.execute(statement)
    assert await audit.page(database, audit.Query(limit=100)) == (before, None)
    async with database.transaction() as tx:
        await audit.record(tx, BY, "role_delete", (1, "editor"))
    assert len((await audit.page(database, audit.Query(limit=100)))[0]) == len(before) + 1
