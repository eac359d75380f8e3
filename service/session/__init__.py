"""The session: the cookie that carries the token, from sign-in to sign-out."""

from service.session.begin import begin_from, land_from, sign_in
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
    "begin_from",
    "came_from_another_site",
    "has_foreign_origin",
    "identify",
    "identify_if_any",
    "is_prefetch",
    "land_from",
    "next_address",
    "require_role",
    "safe_next",
    "sign_in",
    "sign_out",
    "withholds_cookie",
]
