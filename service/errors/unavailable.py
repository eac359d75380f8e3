"""The request is valid, but the service cannot answer it now, or its database cannot at all."""

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
    """The database does not answer now. The same request may succeed later."""

    status = 503
    code = "database_unavailable"
    title = "Database unavailable"
    detail = "Try again in a few seconds. Administrators: the log has the reason."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class DatabaseFailed(DatabaseUnavailable):
    """The database answers with an error that stays until an administrator corrects its cause."""

    status = 500
    code = "database_failed"
    title = "Database error"
    detail = (
        "The database cannot do this, and another attempt fails as well. Administrators: the log"
        " has the reason, and `python -m service db check` checks the database."
    )

    def __init__(self) -> None:
        Problem.__init__(self)
