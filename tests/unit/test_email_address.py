"""E-mail addresses: syntax only, as no mail is sent."""

import pytest

from service.schemas import email_address

GOOD = [
    *("ada@example.org", "ada@corp.local", "ada@example.test", "ada@host.internal"),
    *("ada@localhost", "ada@mail.localhost", "ada@nas.home.arpa", "ada@x.invalid", "ada@example"),
    *("ada@intranet", "a@b.c", "ada+tag@example.com", "o'brien@example.ie", "a.b-c_d@x-y.example"),
    *("!#$%&'*+-/=?^_`{|}~@example.org", "1@2.example", "x" * 64 + "@example.org"),
    # Internationalised (RFC 6531, RFC 5890).
    *(
        "\u0434\u043c\u0438\u0442\u0440\u0438\u0439@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444",
        "j\xf6rg@m\xfcnchen.example",
    ),
    *(
        "\u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a",
        "\u0905\u091c\u092f@\u0921\u093e\u091f\u093e.\u092d\u093e\u0930\u0924",
        "\xe5sa@corp.local",
    ),
]
NORMAL = {
    "Ada@Example.ORG": "Ada@example.org",
    "ada@xn--mnchen-3ya.example": "ada@m\xfcnchen.example",
    "ada@M\xdcNCHEN.example": "ada@m\xfcnchen.example",
    "ada@\uff45xample.org": "ada@example.org",
    "\u00a0 ada@example.org\u3000": "ada@example.org",
    "a\u0308da@example.org": "\xe4da@example.org",
}
BAD = [
    *("ada", "@example.org", "ada@", "ada@@example.org", "ada@b@example.org", "a da@example.org"),
    *("ada@exam ple.org", ".ada@example.org", "ada.@example.org", "a..b@example.org"),
    *("ada@.org", "ada@example..org", "ada@example.org.", "ada@-x.org", "ada@x-.org"),
    *(
        "Ada <ada@example.org>",
        "<ada@example.org>",
        "mailto:ada@example.org",
        "ada@example.org,b@c",
    ),
    *("ada@exam_ple.org", "ada@[127.0.0.1]", '"a b"@example.org', "ada@" + "x" * 64 + ".org"),
    *("ada@xn--a.example", "ada@example.org\n", "a\0@example.org"),
    *(
        "a\u202eb@example.org",
        "a\u200db@example.org",
        "ada@ex\u200bample.org",
        "\ud800@example.org",
    ),
]


@pytest.mark.parametrize("text", GOOD, ids=ascii)
def test_an_address_is_taken_as_it_is(text: str) -> None:
    assert email_address.normalize(text) == text


@pytest.mark.parametrize(("text", "normal"), NORMAL.items(), ids=ascii)
def test_an_address_has_one_spelling(text: str, normal: str) -> None:
    assert email_address.normalize(text) == normal
    assert email_address.normalize(normal) == normal


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^(is not a valid e-mail address: |must be only|contains )"
    ):
        email_address.normalize(text)
