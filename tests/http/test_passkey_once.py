"""A challenge of a passkey counts once over all replicas, also for many copies at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.authenticator import Authenticator
from tests.support.client import ask
from tests.support.passkeys import (
    OWN,
    as_user,
    by_passkey,
    creation_options,
    registered,
    request_options,
    send,
)
from tests.support.servers import Server, Start
from tests.support.stores import run_sql

pytestmark = pytest.mark.both_stores

COPIES = 20


@pytest.fixture(scope="module")
def replicas(start: Start) -> tuple[Server, Server]:
    """Return two servers at one address, on one database."""
    one = start(PASSKEY_AUTH="true")
    return one, start(beside=one, PUBLIC_URL=one.url)


def test_a_challenge_counts_once_over_all_replicas(replicas: tuple[Server, Server]) -> None:
    one, other = replicas
    key = registered(one, "admin")
    body = {"credential": key.get(request_options(other))}
    assert send(one, "/auth/passkey", body).status == 200
    for server in replicas:
        assert send(server, "/auth/passkey", body).code == "passkey_invalid"
    wrong = {"credential": key.get(options := request_options(one), signature=b"x" * 70)}
    assert send(one, "/auth/passkey", wrong).code == "passkey_invalid"
    right = {"credential": key.get(options)}
    assert send(other, "/auth/passkey", right).code == "passkey_invalid"
    headers = as_user(one, "user")
    new = Authenticator(one.url)
    created = {"credential": new.create(creation_options(one, headers))}
    assert send(other, OWN, created, headers=headers).status == 201
    again = send(one, OWN, created, headers=headers)
    assert (again.status, again.code) == (422, "passkey_invalid")


def test_of_twenty_copies_at_once_one_signs_in(replicas: tuple[Server, Server]) -> None:
    key = registered(replicas[0], "contributor")
    body = {"credential": key.get(request_options(replicas[0]))}
    with ThreadPoolExecutor(COPIES) as threads:
        answers = list(
            threads.map(
                lambda number: send(replicas[number % 2], "/auth/passkey", body), range(COPIES)
            )
        )
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200, *[401] * (COPIES - 1)]


def test_of_twenty_registrations_at_once_one_is_stored(replicas: tuple[Server, Server]) -> None:
    one = replicas[0]
    headers = as_user(one, "manager")
    body = {"credential": Authenticator(one.url).create(creation_options(one, headers))}
    with ThreadPoolExecutor(COPIES) as threads:
        answers = list(
            threads.map(
                lambda number: send(replicas[number % 2], OWN, body, headers=headers),
                range(COPIES),
            )
        )
    assert sorted(answer.status for answer in answers) == [201, *[422] * (COPIES - 1)]
    assert len(ask(one.port, OWN, headers=headers).json) == 1


def test_of_the_last_two_passkeys_one_stays(replicas: tuple[Server, Server]) -> None:
    one = replicas[0]
    assert one.cli("user", "create", "two-keys").returncode == 0
    keys = [registered(one, "two-keys") for _ in range(2)]
    headers = as_user(one, "two-keys")
    names = [each["id"] for each in ask(one.port, OWN, headers=headers).json]
    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(
                lambda pair: send(pair[0], f"{OWN}/{pair[1]}", method="DELETE", headers=headers),
                zip(replicas, names, strict=True),
            )
        )
    assert sorted(answer.status for answer in answers) == [204, 409]
    assert sorted(by_passkey(one, key).status for key in keys) == [200, 401]


def test_a_deleted_user_leaves_no_passkey(replicas: tuple[Server, Server]) -> None:
    one = replicas[0]
    assert one.cli("user", "create", "gone").returncode == 0
    key = registered(one, "gone")
    assert by_passkey(one, key).status == 200
    assert one.cli("user", "delete", "gone", "--yes").returncode == 0
    assert by_passkey(one, key).code == "passkey_invalid"
    left = run_sql(
        one.database, "SELECT 1 FROM passkeys WHERE user_id NOT IN (SELECT id FROM users)"
    )
    assert left == []
