"""Errors of sign-ins by password or passkey, and of changing one's own credentials."""

from service.errors.problem import Problem
from service.errors.refused import Forbidden, NotFound
from service.errors.unauthenticated import Unauthenticated


class CredentialsInvalid(Unauthenticated):
    code = "credentials_invalid"
    title = "Wrong user name or password"
    detail = "The user name or the password is wrong, or the user is disabled."
    about_token = False


class OtpRequired(Unauthenticated):
    code = "otp_required"
    title = "One-time code required"
    detail = (
        "The password is right. Send the code of your authenticator app, or a recovery code, as the"
        " member `otp` too."
    )
    about_token = False


class OtpInvalid(Unauthenticated):
    code = "otp_invalid"
    title = "Invalid one-time code"
    detail = (
        "The code is wrong, has expired, or was used before. Wait for the next code of your"
        " authenticator app, or use a recovery code."
    )
    about_token = False


class OtpSetupRequired(Unauthenticated):
    code = "otp_setup_required"
    title = "One-time codes must be set up"
    detail = (
        "The password is right, but this service requires one-time codes. Set them up on the"
        " sign-in page."
    )
    about_token = False


class SignInExpired(Unauthenticated):
    """The password was checked too long ago, or the user has changed since."""

    code = "sign_in_expired"
    title = "Sign-in expired"
    detail = "The sign-in took too long, or the user has changed. Enter the password again."
    about_token = False


class OtpSetupMissing(Problem):
    status = 409
    code = "otp_setup_missing"
    title = "No set-up to confirm"
    detail = (
        "No set-up of one-time codes has been started, or it has expired. Start one with POST"
        " /auth/account/totp, and confirm it within 10 minutes."
    )


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


class PasskeyInvalid(Unauthenticated):
    code = "passkey_invalid"
    title = "Passkey not accepted"
    detail = (
        "The passkey is not registered here, or its answer is not valid. Try again, or sign in"
        " another way."
    )
    about_token = False


class PasskeyNotAdded(Problem):
    status = 422
    code = "passkey_invalid"
    title = "Passkey not added"
    detail = "The answer of the authenticator is not valid. Start again."


class PasskeyNotFound(NotFound):
    code = "passkey_not_found"
    title = "Passkey not found"
    detail = "You have no passkey with this ID. It may have been removed."


class PasskeysNeedName(NotFound):
    detail = (
        "Passkeys need a host name, and the address of this service is an IP address."
        " Administrators: see Accounts in the documentation."
    )


class LastWayIn(Problem):
    status = 409
    code = "last_way_in"
    title = "Last way to sign in"
    detail = "Without it, you could not sign in any more. Add another way to sign in first."
