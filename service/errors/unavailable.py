"""Errors 503: the request is valid, but the service cannot answer it now."""

from service.errors.problem import Problem


class FeedStale(Problem):
    status = 503
    code = "feed_stale"
    title = "Sign-in state is temporarily unavailable"
    detail = (
        "The database has not responded for too long, so the service cannot check whether your"
        " session was revoked. Try again in a few seconds."
    )

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class Overloaded(Problem):
    status = 503
    code = "overloaded"
    title = "Too many concurrent requests"
    detail = "The service limits how many requests of this kind run at once. Try again in a second."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class DatabaseUnavailable(Problem):
    status = 503
    code = "database_unavailable"
    title = "Database unavailable"
    detail = "Try again in a few seconds. Administrators: the log has the reason."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})
