"""The exceptions of OpenID Connect."""

import re

_ERROR = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII | re.IGNORECASE)


def error_code(value: object) -> str:
    """Return a provider's error code for the log, `other` if it does not have the form of one."""
    return value if isinstance(value, str) and _ERROR.fullmatch(value) else "other"


class LoginRejected(Exception):
    """The response is rejected: it is not for us, expired, or not for this attempt.

    `reason` is a constant word for the log and contains no data of the response. `limit` is the
    limit that a value exceeds, such as `255 characters`. `error` is the provider's own error code.
    """

    def __init__(self, reason: str, *, limit: str | None = None, error: str | None = None) -> None:
        self.reason = reason
        self.limit = limit
        self.error = error
        super().__init__(reason)


class TokenRefused(LoginRejected):
    """The token endpoint returned an error. `error` is its code.

    `is_client`: the status alone says that it rejects the client (RFC 6749 section 5.2).
    """

    def __init__(self, error: str, *, is_client: bool) -> None:
        self.is_client = is_client
        super().__init__("token_refused", error=error)


class ProviderError(LoginRejected):
    """A token, key or document of the provider is invalid, regardless of the account."""


class Unsupported(ProviderError):
    """A token of the provider needs a feature that Latchkey does not have."""


class DocumentError(ProviderError):
    """Metadata, keys or a response of the provider cannot be used. It is no fault of a token."""


class DocumentUnsupported(DocumentError, Unsupported):
    """A document of the provider needs a feature that Latchkey does not have."""
