"""The session: the cookie that carries the token, from sign-in to sign-out."""

from service.session.authenticate import (
    bearer_token,
    credential,
    identify,
    identify_if_any,
    is_signed_out,
    require_role,
)
from service.session.browser import next_address, safe_next, withholds_cookie
from service.session.fetch_metadata import (
    has_foreign_source,
    is_background_load,
    is_top_navigation,
    site,
)
from service.session.sign_in import begin_from, land_from, sign_in
from service.session.sign_out import sign_out

__all__ = [
    "bearer_token",
    "begin_from",
    "credential",
    "has_foreign_source",
    "identify",
    "identify_if_any",
    "is_background_load",
    "is_signed_out",
    "is_top_navigation",
    "land_from",
    "next_address",
    "require_role",
    "safe_next",
    "sign_in",
    "sign_out",
    "site",
    "withholds_cookie",
]
