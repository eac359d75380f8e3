"""E-mail addresses: syntax only, as Latchkey sends no mail."""

import email_validator

from service.parsing import harmless

MAX_LENGTH = 254
"""The maximum length of an address (RFC 5321 section 4.5.3.1.3, without its brackets)."""

# The library's documented switch. No mail reaches `corp.local` or `example.test` from the Internet,
# but people have such addresses in intranets and in tests.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normalize(text: str) -> str:
    """Return an address with its domain in lower-case Unicode (RFC 6531). Raises ValueError.

    Rejects `Ada <ada@example.org>`: this is more than an address.
    """
    plain = harmless.normalize(text)
    if set(plain) & set("<> "):
        raise ValueError("must be only an e-mail address, such as ada@example.org")
    try:
        found = email_validator.validate_email(
            plain, check_deliverability=False, globally_deliverable=False
        )
    except email_validator.EmailNotValidError as error:
        reason = str(error).replace("email", "e-mail").removesuffix(".")
        raise ValueError(
            f"is not a valid e-mail address: {reason[:1].lower()}{reason[1:]}"
        ) from None
    return found.normalized
