"""The session: the cookie that carries the token, from sign-in to sign-out."""

from service.session.begin import sign_in, sign_in_from
from service.session.end import sign_out
from service.session.identify import bearer_token, identify, identify_if_any, require_role
from service.session.request import (
    came_from_another_site,
    has_foreign_origin,
    is_prefetch,
    next_address,
    safe_next,
    withholds_cookie,
)

__all__ = [
    "bearer_token",
    "came_from_another_site",
    "has_foreign_origin",
    "identify",
    "identify_if_any",
    "is_prefetch",
    "next_address",
    "require_role",
    "safe_next",
    "sign_in",
    "sign_in_from",
    "sign_out",
    "withholds_cookie",
]
