"""Answers that no authenticator gives: each is refused with its status and code, never a 500."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.authenticator import (
    AT,
    BE,
    BS,
    ED,
    SOUND,
    UP,
    UV,
    Authenticator,
    new_key,
    sign,
    text,
    with_response,
)
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
from tests.support.servers import Running, Server
from tests.support.stores import Store

Credential = dict[str, Any]
Make = Callable[[Authenticator, dict[str, Any]], Credential]


@pytest.fixture(scope="module")
def site(running: Running, store: Store) -> Server:
    """Return a server with passkeys."""
    return running.start(store, PASSKEY_AUTH="true")


@pytest.fixture(scope="module")
def key(site: Server) -> Authenticator:
    """Return a passkey of admin, which every sound answer signs in with."""
    return registered(site, "admin")


@pytest.fixture(scope="module")
def theirs(site: Server) -> Authenticator:
    """Return a passkey of another user."""
    return registered(site, "user")


def without(credential: Credential, name: str) -> Credential:
    return {member: value for member, value in credential.items() if member != name}


def raw(client_data: bytes) -> Make:
    return lambda key, options: key.get(
        options, client_data=client_data.replace(b"CHALLENGE", options["challenge"].encode())
    )


def changed(**changes: Any) -> Make:
    return lambda key, options: key.get(options, **changes)


def data_of(**facts: Any) -> Make:
    """Return what signs other authenticator data."""
    return lambda key, options: key.get(options, auth_data=key.auth_data(**facts))


def of_rp(rp_id: str) -> Make:
    def make(key: Authenticator, options: dict[str, Any]) -> Credential:
        head = hashlib.sha256(rp_id.encode()).digest()
        return key.get(options, auth_data=head + key.auth_data()[32:])

    return make


def member(**members: Any) -> Make:
    return lambda key, options: with_response(key.get(options), **members)


def outer(**members: Any) -> Make:
    return lambda key, options: {**key.get(options), **members}


SIGN_INS: dict[str, Make] = {
    "another origin": changed(origin="https://evil.example"),
    "origin of a sibling": changed(origin="http://localhost"),
    "origin with a slash": lambda key, options: key.get(options, origin=key.origin + "/"),
    "origin in upper case": lambda key, options: key.get(options, origin=key.origin.upper()),
    "origin null": changed(origin="null"),
    "origin a list": lambda key, options: key.get(options, origin=[key.origin]),
    "no origin": changed(origin=None),
    "another RP ID": of_rp("evil.example"),
    "RP ID of the parent": of_rp("host"),
    "type of a registration": changed(type="webauthn.create"),
    "type of a payment": changed(type="payment.get"),
    "no type": changed(type=None),
    "another challenge": changed(challenge="AAAAAAAAAAAAAAAAAAAAAA"),
    "empty challenge": changed(challenge=""),
    "challenge a number": changed(challenge=7),
    "no challenge": changed(challenge=None),
    "challenge padded": lambda key, options: key.get(options, challenge=options["challenge"] + "="),
    "challenge with other last bits": lambda key, options: key.get(
        options, challenge=options["challenge"][:-1] + chr(ord(options["challenge"][-1]) + 1)
    ),
    "challenge cut": lambda key, options: key.get(options, challenge=options["challenge"][:-1]),
    "challenge in other spelling": lambda key, options: key.get(
        options, challenge=options["challenge"].replace("-", "+").replace("_", "/") + "\n"
    ),
    "frame on another site": changed(crossOrigin=True),
    "crossOrigin a word": changed(crossOrigin="false"),
    "crossOrigin zero": changed(crossOrigin=0),
    "topOrigin": changed(topOrigin="https://evil.example"),
    "topOrigin of our own": lambda key, options: key.get(options, topOrigin=key.origin),
    "token binding": changed(tokenBinding={"status": "supported!", "id": []}, origin="x"),
    "user not verified": data_of(flags=UP),
    "user not present": data_of(flags=UV),
    "no flag": data_of(flags=0),
    "backed up but not eligible": data_of(flags=SOUND | BS),
    "eligible, unlike before": data_of(flags=SOUND | BE),
    "extensions that are missing": data_of(flags=SOUND | ED),
    "attested data that are missing": data_of(flags=SOUND | AT),
    "bytes left over": data_of(attested=b"\x00"),
    "authenticator data cut": lambda key, options: key.get(options, auth_data=key.auth_data()[:36]),
    "authenticator data of nothing": member(authenticatorData=""),
    "signature of another key": lambda key, options: key.get(
        options, signature=sign(new_key(), b"x")
    ),
    "signature empty": member(signature=""),
    "signature missing": member(signature=None),
    "signature too long": member(signature=text(b"x" * 5_000)),
    "signature not base64url": member(signature="!!!!"),
    "signature a number": member(signature=1),
    "signature over other data": lambda key, options: with_response(
        key.get(options), authenticatorData=text(key.auth_data(flags=SOUND | 0x20))
    ),
    "unknown passkey": lambda key, options: Authenticator(key.origin, user_handle="AA").get(
        options
    ),
    "user handle of nobody": member(userHandle=text(b"x" * 32)),
    "user handle missing": member(userHandle=None),
    "user handle null": lambda key, options: {
        **key.get(options),
        "response": {**key.get(options)["response"], "userHandle": None},
    },
    "user handle too long": member(userHandle=text(b"x" * 65)),
    "id differs from rawId": outer(rawId=text(b"y" * 32)),
    "id missing": lambda key, options: without(key.get(options), "id"),
    "rawId missing": lambda key, options: without(key.get(options), "rawId"),
    "id a list": outer(id=["x"], rawId=["x"]),
    "id too long": outer(id=text(b"y" * 1_100), rawId=text(b"y" * 1_100)),
    "id padded": lambda key, options: {
        **key.get(options),
        "id": text(key.credential_id) + "=",
        "rawId": text(key.credential_id) + "=",
    },
    "id with NUL": outer(id="a\x00b", rawId="a\x00b"),
    "type missing": lambda key, options: without(key.get(options), "type"),
    "type of a password": outer(type="password"),
    "type a list": outer(type=[]),
    "response missing": lambda key, options: without(key.get(options), "response"),
    "response a list": outer(response=[]),
    "response a text": outer(response="x"),
    "client data not JSON": raw(b"{"),
    "client data a list": raw(b"[]"),
    "client data empty": member(clientDataJSON=""),
    "client data not UTF-8": raw(b'{"type":"\xff"}'),
    "client data with a byte order mark": lambda key, options: key.get(
        options,
        client_data=b"\xef\xbb\xbf" + key.client_data("webauthn.get", options["challenge"]),
    ),
    "client data with two origins": lambda key, options: key.get(
        options,
        client_data=key.client_data("webauthn.get", options["challenge"])[:-1]
        + b', "origin": "https://evil.example"}',
    ),
    "client data nested deeply": raw(b"[" * 5_000 + b"]" * 5_000),
    "client data too long": lambda key, options: key.get(options, filler="x" * 9_000),
    "client data with a huge number": raw(b'{"type":' + b"9" * 6_000 + b"}"),
    "nothing": lambda _key, _options: {},
}


def test_the_passkey_of_the_table_signs_in(site: Server, key: Authenticator) -> None:
    assert by_passkey(site, key).status == 200


@pytest.mark.parametrize("name", SIGN_INS)
def test_a_sign_in_is_refused(site: Server, key: Authenticator, name: str) -> None:
    credential = SIGN_INS[name](key, request_options(site))
    answer = send(site, "/auth/passkey", {"credential": credential})
    assert (answer.status, answer.code) == (401, "passkey_invalid")
    assert not [line for line in answer.all("Set-Cookie") if line.startswith("jwt=")]
    assert answer["WWW-Authenticate"] == "Bearer"


def test_all_refused_sign_ins_look_the_same(site: Server, key: Authenticator) -> None:
    bodies = {
        send(site, "/auth/passkey", {"credential": make(key, request_options(site))}).body
        for make in list(SIGN_INS.values())[::9]
    }
    assert len(bodies) == 1


def test_the_handle_of_another_user_is_refused(
    site: Server, key: Authenticator, theirs: Authenticator
) -> None:
    credential = with_response(key.get(request_options(site)), userHandle=theirs.user_handle)
    assert send(site, "/auth/passkey", {"credential": credential}).code == "passkey_invalid"
    stolen = {
        **key.get(request_options(site)),
        "id": text(theirs.credential_id),
        "rawId": text(theirs.credential_id),
    }
    assert send(site, "/auth/passkey", {"credential": stolen}).code == "passkey_invalid"


def test_a_challenge_is_for_its_own_purpose(site: Server, key: Authenticator) -> None:
    for_creation = creation_options(site, as_user(site, "admin"))
    answer = send(site, "/auth/passkey", {"credential": key.get(for_creation)})
    assert answer.code == "passkey_invalid"
    headers = as_user(site, "admin")
    of_sign_in = {**for_creation, "challenge": request_options(site)["challenge"]}
    of_other = creation_options(site, as_user(site, "user"))
    for options in (of_sign_in, of_other):
        created = Authenticator(site.url).create(options)
        refused = send(site, OWN, {"credential": created}, headers=headers)
        assert (refused.status, refused.code) == (422, "passkey_invalid")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "json_invalid"),
        (b"{", 400, "json_invalid"),
        (b'{"credential": {}, "credential": {}}', 400, "json_invalid"),
        (b"[]", 422, "validation_error"),
        (b"{}", 422, "validation_error"),
        (b'{"credential": null}', 422, "validation_error"),
        (b'{"credential": "x"}', 422, "validation_error"),
        (b'{"credential": []}', 422, "validation_error"),
        (b'{"credential": {}, "user": 1}', 422, "validation_error"),
        (b'{"credential": {}, "next": 1}', 422, "validation_error"),
        (b'{"credential": {}, "remember": "yes"}', 422, "validation_error"),
        (b'{"credential": {"id": "' + b"x" * 66_000 + b'"}}', 413, "body_too_large"),
        (b'{"credential": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}", 400, "json_invalid"),
    ],
)
def test_a_body_is_refused(site: Server, body: bytes, status: int, code: str) -> None:
    for path, headers in (
        ("/auth/passkey", {}),
        (OWN, as_user(site, "admin")),
    ):
        if path == OWN and (b"next" in body or b"remember" in body):
            continue
        sent = {"Content-Type": "application/json", **headers}
        answer = ask(site.port, path, "POST", headers=sent, body=body)
        assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(site: Server, content_type: str) -> None:
    answer = ask(
        site.port, "/auth/passkey", "POST", headers={"Content-Type": content_type}, body=b"{}"
    )
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


def test_client_data_may_have_members_of_tomorrow(site: Server, key: Authenticator) -> None:
    options = request_options(site)
    more = json.dumps("do not compare clientDataJSON against a template")
    client_data = key.client_data("webauthn.get", options["challenge"])[:-1]
    made = key.get(options, client_data=client_data + f', "other": {more}}}'.encode())
    assert send(site, "/auth/passkey", {"credential": made}).status == 200
    absent = key.get(request_options(site), crossOrigin=None)
    assert send(site, "/auth/passkey", {"credential": absent}).status == 200


def test_nothing_of_an_answer_is_in_the_log(site: Server, key: Authenticator) -> None:
    made = key.get(request_options(site), origin="https://words-of-a-client.example")
    assert send(site, "/auth/passkey", {"credential": made}).status == 401
    log = site.log()
    assert "words-of-a-client" not in log
    assert "Traceback" not in log
    assert "unexpected" not in log
