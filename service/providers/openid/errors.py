"""The exceptions of OpenID Connect."""


class LoginRejected(Exception):
    """The response is rejected: it is not for us, expired, or not for this attempt.

    `reason` is a constant word for the log and contains no data of the response.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ProviderError(LoginRejected):
    """A document, key or signature of the provider is invalid, regardless of the account."""
