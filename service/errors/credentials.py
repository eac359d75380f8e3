"""Errors of sign-ins by password, and of changing one's own credentials."""

from service.errors.problem import Problem
from service.errors.refused import Forbidden
from service.errors.unauthenticated import Unauthenticated


class CredentialsInvalid(Unauthenticated):
    code = "credentials_invalid"
    title = "Wrong user name or password"
    detail = "The user name or the password is wrong, or the user is disabled."
    about_token = False


class TooManyAttempts(Problem):
    """Too many attempts have failed. `seconds` is the delay until the next one."""

    status = 429
    code = "too_many_attempts"
    title = "Too many failed attempts"
    detail = "Wait as long as the header `Retry-After` says, then try again."

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        unit = "second" if seconds == 1 else "seconds"
        super().__init__(
            f"Wait {seconds} {unit}, then try again.", headers={"Retry-After": str(seconds)}
        )


class ReauthenticationRequired(Forbidden):
    code = "reauthentication_required"
    title = "Sign in again first"
    detail = (
        "This change needs a sign-in within the last 10 minutes, or the current password as the"
        " member `current`."
    )
