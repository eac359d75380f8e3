"""Errors 400 and 403 to 422: the request is invalid, not allowed, or in conflict."""

from service.errors.problem import Problem


class UsernameMissing(Problem):
    status = 400
    code = "username_missing"
    title = "Missing user name"
    detail = "Add the user to sign in as: /auth/bypass?token=<username>."


class UsernameAmbiguous(Problem):
    status = 400
    code = "username_ambiguous"
    title = "Ambiguous user name"
    detail = "Send the parameter `token` exactly once."


class UsernameInvalid(Problem):
    status = 400
    code = "username_invalid"
    title = "Invalid user name"
    detail = "This cannot be a user name. Correct it and try again."


class SinceInvalid(Problem):
    status = 400
    code = "since_invalid"
    title = "Invalid position in the feed"
    detail = (
        "Send `since` once, with the value of `next` from an earlier response. Omit it to read the"
        " whole feed."
    )


class Forbidden(Problem):
    status = 403


class CrossSite(Forbidden):
    code = "cross_site_request"
    title = "Cross-site request"
    detail = "Send this request from a page of this site, or use a bearer token."


class BypassRefused(Forbidden):
    code = "bypass_refused"
    title = "Development sign-in not allowed from this address"
    detail = (
        "The client address must be in BYPASS_NETWORKS. If the request passes through a proxy, the"
        " proxy must be in TRUSTED_PROXIES."
    )


class HostRefused(Forbidden):
    code = "bypass_host_refused"
    title = "Development sign-in not allowed under this host name"
    detail = "Use the host of PUBLIC_URL, localhost, or an IP address."


class PrefetchRefused(Forbidden):
    code = "prefetch_refused"
    title = "Sign-in requires a page load"
    detail = (
        "A prefetch, an image or a cross-origin frame cannot sign you in. Open the link in a tab."
    )


class ForwardInvalid(Forbidden):
    code = "forward_invalid"
    title = "Invalid forward-auth request"
    detail = (
        "The allowed parameters are `proxy` (nginx, caddy, traefik or haproxy, once), `role` (a"
        " role name, repeatable), `all=1` and `credential=cookie`. The original request must have"
        " one host, with or without a port. Correct the configuration of the proxy."
    )


class TokenTooLarge(Forbidden):
    code = "token_too_large"
    title = "The token is too large for a cookie"


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = "Not found"
    detail = "This path does not exist. Start at the home page, /."


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "Use one of the methods in the header `Allow`."


class RoleMissing(Forbidden):
    code = "role_missing"
    title = "Missing role"
    detail = "You need a role that you do not have. Ask your administrator to grant it to you."

    def __init__(self, *roles: str, every: bool = False) -> None:
        """Create the error for a caller who needs one of `roles`, or all of them if `every`."""
        self.roles = sorted(roles)
        self.every = every
        super().__init__()


class UserNotFound(Problem):
    status = 404
    code = "user_not_found"
    title = "User not found"
    detail = "No user has this ID. The user may have been deleted."


class RoleNotFound(Problem):
    status = 404
    code = "role_not_found"
    title = "Role not found"
    detail = "No role has this ID. The role may have been deleted."


class IdentityNotFound(Problem):
    status = 404
    code = "identity_not_found"
    title = "Identity not found"
    detail = "This account at the provider is not linked to this user."


class IdentityTaken(Problem):
    status = 409
    code = "identity_taken"
    title = "Identity already linked"
    detail = "This account is linked to another user. Unlink it from that user first."


class UsernameTaken(Problem):
    status = 409
    code = "username_taken"
    title = "User name already taken"
    detail = "Another user has this name. Choose a different name."


class RoleTaken(Problem):
    status = 409
    code = "role_taken"
    title = "Role already exists"
    detail = "Another role has this name. Choose a different name."


class LastManager(Problem):
    status = 409
    code = "last_manager"
    title = "Last user manager"
    detail = (
        "This is the last active user with manage_users. Grant that role to another user first."
    )


class PreconditionFailed(Problem):
    status = 412
    code = "precondition_failed"
    title = "The user has changed"
    detail = "This user was changed after you read it. Read it again, then repeat your change."


class ValidationError(Problem):
    status = 422
    code = "validation_error"
    title = "Validation failed"
    detail = "Correct every field listed in `errors` and try again."
