"""The error of a text that is larger than a limit. It is not a malformed text."""


class OverLimit(ValueError):
    """A text exceeds a limit, such as `32 levels`. The limit contains no part of the text.

    `message` is a text about it for people, by default `over` and the limit.
    """

    def __init__(self, limit: str, message: str | None = None) -> None:
        self.limit = limit
        super().__init__(message or f"over {limit}")
