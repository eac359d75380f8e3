"""Sessions: sign in, authenticate, sign out, and the cookie with the token."""

from service.session.authenticate import (
    authenticate,
    authenticate_optional,
    bearer_token,
    cookie_token,
    credential,
    is_signed_out,
    require_role,
)
from service.session.browser import (
    is_too_long,
    next_address,
    next_is_too_long,
    safe_next,
    withholds_cookie,
)
from service.session.caller import caller
from service.session.fetch_metadata import (
    has_foreign_source,
    is_background_load,
    is_top_navigation,
    site,
)
from service.session.sign_in import answer, redirect, respond, sign_in, start, start_for_provider
from service.session.sign_out import sign_out

__all__ = [
    "answer",
    "authenticate",
    "authenticate_optional",
    "bearer_token",
    "caller",
    "cookie_token",
    "credential",
    "has_foreign_source",
    "is_background_load",
    "is_signed_out",
    "is_too_long",
    "is_top_navigation",
    "next_address",
    "next_is_too_long",
    "redirect",
    "require_role",
    "respond",
    "safe_next",
    "sign_in",
    "sign_out",
    "site",
    "start",
    "start_for_provider",
    "withholds_cookie",
]
