"""Errors of links that set a password, and of open invitations."""

from service.errors.problem import Problem


class LinkInvalid(Problem):
    status = 404
    code = "link_invalid"
    title = "This link is not valid"
    detail = (
        "The link has expired, has been used or was withdrawn. Check that you copied all of it, or"
        " ask your administrator for a new one."
    )


class InvitationNotFound(Problem):
    status = 404
    code = "invitation_not_found"
    title = "Invitation not found"
    detail = "No open invitation has this ID. It may have expired, or may be used up or revoked."


class UserDisabled(Problem):
    status = 409
    code = "user_disabled"
    title = "The user is disabled"
    detail = "A disabled user cannot use a link. Enable the user first."
