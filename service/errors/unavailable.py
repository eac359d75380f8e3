"""503: a good request that cannot be answered just now."""

from service.errors.problem import Problem


class FeedStale(Problem):
    status = 503
    code = "feed_stale"
    title = "Nobody can be let in just now"
    detail = (
        "The user database has not answered for so long that this service no longer knows which"
        " sessions have ended. Try again in a few seconds."
    )

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class Overloaded(Problem):
    status = 503
    code = "overloaded"
    title = "Too many requests of this kind at the same time"
    detail = "The service works, and limits how much it does of this at once. Try again later."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class DatabaseUnavailable(Problem):
    status = 503
    code = "database_unavailable"
    title = "The user database does not answer"
    detail = "Try again in a few seconds. Whoever runs this service finds the reason in its log."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})
