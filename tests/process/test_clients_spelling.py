"""The verifiers in clients/ accept one spelling of each token, as the server does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import EC, RSA, issuer
from tests.support.handmade_tokens import BASE64URL
from tests.support.issuer import Claims, Issuer
from tests.support.verifiers import Make, outcome

__all__ = ["issuer"]

STORES = ("sqlite",)  # no store has a part in this


def twin(token: str) -> str:
    """Respell the last character, which has bits that do not count."""
    return token[:-1] + BASE64URL[BASE64URL.index(token[-1]) + 1]


def inside(token: str, text: str) -> str:
    """Insert a text before the first dot."""
    return token.replace(".", f"{text}.", 1)


SPELLINGS: dict[str, Callable[[str], object]] = {
    "padding after": lambda token: f"{token}==",
    "one sign of padding after": lambda token: f"{token}=",
    "much padding after": lambda token: f"{token}====",
    "padding inside": lambda token: inside(token, "="),
    "a blank after": lambda token: f"{token} ",
    "a blank before": lambda token: f" {token}",
    "a blank inside": lambda token: inside(token, " "),
    "a tab after": lambda token: f"{token}\t",
    "a line end after": lambda token: f"{token}\n",
    "a carriage return and a line end after": lambda token: f"{token}\r\n",
    "a line end inside": lambda token: inside(token, "\n"),
    "a no-break space after": lambda token: f"{token}\u00a0",
    "a line separator after": lambda token: f"{token}\u2028",
    "a byte order mark before": lambda token: f"\ufeff{token}",
    "a NUL after": lambda token: f"{token}\0",
    "a semicolon after": lambda token: f"{token};",
    "bits that do not count": twin,
    "a dot after": lambda token: f"{token}.",
    "a dot before": lambda token: f".{token}",
    "quotes around": lambda token: f'"{token}"',
    "its scheme before": lambda token: f"Bearer {token}",
    "twice": lambda token: f"{token}, {token}",
    "the alphabet of base64": lambda token: "+/".join(token.rsplit(token[-2:], 1)),
    "a letter beyond ASCII": lambda token: f"{token[:-1]}\uff21",
    "in a list": lambda token: [token],
    "nothing": lambda _: None,
    "a number": lambda _: 7,
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_another_spelling_of_a_good_token_is_refused(
    make: Make, issuer: Issuer, spell: Callable[[str], Any]
) -> None:
    client = make(issuer.url)
    good = EC.sign(issuer.claims())
    spelt = spell(good)
    if isinstance(spelt, list):
        spelt = json.dumps(spelt)
    assert outcome(client, spelt) == "token_invalid"
    assert outcome(client, good) == "good"
    assert outcome(client, spelt) == "token_invalid"
    assert client.sizes()["tokens"] == 1


@pytest.mark.parametrize("signer", [EC, RSA], ids=["ES256", "RS256"])
def test_the_longest_token_is_that_of_the_server(make: Make, issuer: Issuer, signer: Any) -> None:
    client = make(issuer.url)
    short = len(signer.sign(issuer.claims(name="")))
    names = ["x" * ((3500 - short) * 3 // 4 + more) for more in (-3, 3)]
    tokens = [signer.sign(issuer.claims(name=name)) for name in names]
    assert [len(token) <= 3500 for token in tokens] == [True, False]
    assert [outcome(client, token) for token in tokens] == ["good", "token_invalid"]


NO_ROLES: list[Any] = [None, "x", {}, ["x"], [None], [{}], [{"role": 1}]]
WRONG: list[Claims] = [
    *({"id": value} for value in (None, True, 0, -1, 1.5, "1", 2, [1])),
    *({"sub": value} for value in ("", "2", "01", "+1", " 1", "1\n", "\u0661")),
    *({"username": value} for value in (None, True, 1, ["admin"])),
    *({"roles": value} for value in NO_ROLES),
    *({"ver": value} for value in (0, -1, 1.5, True, "1")),
    *({"sid": value} for value in ("", "short", "s" * 65, "a session", "s" * 9 + "=", 1)),
    *({"jti": value} for value in (None, "", "a token id", "j" * 9 + "\n")),
    *({"amr": value} for value in (None, "pwd", [], [1], ["pwd", ["otp"]], {"pwd": True})),
    {"auth_time": -1},
    {"nbf": -1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_claims_that_latchkey_never_writes_are_refused(
    make: Make, issuer: Issuer, wrong: Claims
) -> None:
    """The feed could not revoke a token whose session or user it does not find."""
    client = make(issuer.url)
    assert outcome(client, EC.sign(issuer.claims(**wrong))) == "token_invalid"
    assert outcome(client, EC.sign(issuer.claims())) == "good"
