"""400 to 417: the caller may be known, but this request is not one that we answer."""

from service.errors.problem import Problem


class BadRequest(Problem):
    status = 400
    code = "request_invalid"
    title = "The request is not valid HTTP"
    detail = "The server could not read the request. Check its request line, headers and body."


class UsernameMissing(Problem):
    status = 400
    code = "username_missing"
    title = "No user name"
    detail = "Name the user to sign in as, once: /auth/bypass?token=<username>."


class UsernameAmbiguous(Problem):
    status = 400
    code = "username_ambiguous"
    title = "More than one user name"
    detail = "Give the parameter `token` exactly once."


class UsernameInvalid(Problem):
    status = 400
    code = "username_invalid"
    title = "Not a user name"
    detail = (
        "A user name starts with a letter or a digit and has at most 64 characters"
        " from a-z, 0-9, '.', '_', '@' and '-'."
    )


class SinceInvalid(Problem):
    status = 400
    code = "since_invalid"
    title = "Not a place in the feed"
    detail = "`since` is the number that the feed gave as `next`, once; without it, all is sent."


class Forbidden(Problem):
    status = 403


class CrossSite(Forbidden):
    code = "cross_site_request"
    title = "The request came from another site"
    detail = "Do this from the pages of this site, or use a bearer token."


class BypassRefused(Forbidden):
    code = "bypass_refused"
    title = "The development sign-in is not open to you"
    detail = (
        "It answers direct requests from BYPASS_NETWORKS, and requests through a proxy only"
        " if that proxy is listed in TRUSTED_PROXIES."
    )


class HostRefused(Forbidden):
    code = "bypass_host_refused"
    title = "The development sign-in does not answer under this host name"
    detail = "Use the address in PUBLIC_URL, localhost, or an IP address."


class PrefetchRefused(Forbidden):
    code = "prefetch_refused"
    title = "Open the sign-in link itself"
    detail = "A sign-in does not work as a prefetch, an image or a frame of another origin."


class ForwardInvalid(Forbidden):
    code = "forward_invalid"
    title = "The proxy asks in a way that is not known here"
    detail = (
        "A proxy asks with `proxy` (nginx, caddy, traefik or haproxy, once), `role` (the name of a"
        " role, repeatable) and `all=1`, and with nothing else. The host of the original request is"
        " one name or address, with its port or without. Correct the proxy's configuration."
    )


class TokenTooLarge(Forbidden):
    code = "token_too_large"
    title = "The token would be too large for a cookie"


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = "Nothing here"
    detail = "There is no such path. The home page / shows the ways in."


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = "Not with this method"
    detail = "This method is not allowed here. The header `Allow` lists the methods that are."


class BodyTimeout(Problem):
    status = 408
    code = "body_timeout"
    title = "The body took too long"
    detail = "Send the whole body within ten seconds."


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = "The body is too large"
    detail = "A body may have at most 64 KiB."


class EncodingUnsupported(Problem):
    status = 415
    code = "encoding_unsupported"
    title = "Not in this encoding"
    detail = "Send the body without Content-Encoding."


class ExpectationFailed(Problem):
    status = 417
    code = "expectation_failed"
    title = "That expectation is not met"
    detail = "The only expectation known here is `100-continue`."


class RoleMissing(Forbidden):
    code = "role_missing"
    title = "You lack a role for this"
    detail = "Ask somebody who manages users to give you the role, then try again."


class UserNotFound(Problem):
    status = 404
    code = "user_not_found"
    title = "There is no such user"
    detail = "There is no user with this id. It may have been deleted."


class RoleNotFound(Problem):
    status = 404
    code = "role_not_found"
    title = "There is no such role"
    detail = "There is no role with this id. It may have been deleted."


class IdentityNotFound(Problem):
    status = 404
    code = "identity_not_found"
    title = "The user has no such identity"
    detail = "This account at the provider is not linked with this user."


class IdentityTaken(Problem):
    status = 409
    code = "identity_taken"
    title = "The identity is another user's"
    detail = "This account at the provider signs somebody else in. Unlink it there first."


class UsernameTaken(Problem):
    status = 409
    code = "username_taken"
    title = "The user name is taken"
    detail = "There is a user of this name already. Choose another name."


class RoleTaken(Problem):
    status = 409
    code = "role_taken"
    title = "The role exists already"
    detail = "There is a role of this name already."


class LastManager(Problem):
    status = 409
    code = "last_manager"
    title = "Nobody else can manage users"
    detail = "This is the last one who can manage users. Give somebody else manage_users first."


class PreconditionFailed(Problem):
    status = 412
    code = "precondition_failed"
    title = "The user has changed meanwhile"
    detail = "Somebody changed this user since you read it. Read it again, then repeat your change."


class ContentTypeUnsupported(Problem):
    status = 415
    code = "content_type_unsupported"
    title = "Not a content type that is read here"
    detail = "Send the body as application/json."


class JsonInvalid(Problem):
    status = 400
    code = "json_invalid"
    title = "The body is not JSON"
    detail = (
        "Send one JSON value in UTF-8: no member name twice, no NaN, nothing after its end, at most"
        " 32 levels deep."
    )


class FormInvalid(Problem):
    status = 400
    code = "form_invalid"
    title = "The body is not a form"
    detail = "Send the fields as browsers do: name=value&name=value, percent-encoded UTF-8."


class ValidationError(Problem):
    status = 422
    code = "validation_error"
    title = "The request has faults"
    detail = "Mend what `errors` names, all of it, and send the request again."
