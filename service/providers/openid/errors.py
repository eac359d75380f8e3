"""The two exceptions of this folder."""


class LoginRejected(Exception):
    """What came back is not accepted: it is not for us, not now, or not for this attempt.

    `reason` is a constant word for the log: it never repeats what was said.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ProviderError(LoginRejected):
    """A document, a key or a signature of the provider's is no good, whoever came."""
