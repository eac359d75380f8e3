"""Errors of the database that stay: 500 without `Retry-After`, and never "try again"."""

import json

import pytest

from service import errors
from service.db import Database
from service.revocation.feed import Revocation
from tests.support.client import Answer, ask, bearer, sign_in
from tests.support.feed import Ticks, claims_of, feed, ticks
from tests.support.servers import Start
from tests.support.stores import run_sql

__all__ = ["feed", "ticks"]

pytestmark = pytest.mark.both_stores


def assert_failed(answer: Answer) -> None:
    """Check that an answer says that it is no use to ask again, and tells strangers no reason."""
    assert (answer.status, answer.code) == (500, "database_failed")
    assert answer.all("Retry-After") == []
    assert "try again" not in answer.text.lower()
    assert "user_roles" not in answer.text


def test_a_table_that_is_missing_is_no_outage(start: Start) -> None:
    server = start()
    token = sign_in(server.port)
    run_sql(server.database, "ALTER TABLE user_roles RENAME TO elsewhere")
    assert_failed(ask(server.port, "/auth/bypass?token=admin"))
    headers = {**bearer(token), "Content-Type": "application/json"}
    body = json.dumps({"username": "bob"}).encode()
    assert_failed(ask(server.port, "/api/v1/users", "POST", headers=headers, body=body))
    assert_failed(ask(server.port, "/api/v1/users", headers=headers))
    assert "user_roles" in server.log(until="database_failed")
    run_sql(server.database, "ALTER TABLE elsewhere RENAME TO user_roles")
    sign_in(server.port)


async def test_after_too_long_without_the_feed_the_answer_says_which_error_it_is(
    database: Database, feed: Revocation, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await claims_of(database, "admin")

    async def failed(_probe: str) -> int:
        raise errors.DatabaseFailed

    async def gone(_probe: str) -> int:
        raise errors.DatabaseUnavailable

    for reads, expected in ((failed, errors.DatabaseFailed), (gone, errors.FeedStale)):
        monkeypatch.setattr(database, "data_version", reads)
        ticks.now += 100
        with pytest.raises(expected):
            await feed.check(good)
