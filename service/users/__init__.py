"""Users and roles: SQL and plain dicts.

Whatever changes a user counts its `version` up, announces it in the feed and is recorded in the
audit, in the same transaction. The command line and the HTTP side come through the same functions.
"""

from service.users.adapted_names import adapted_username
from service.users.create import NewUser, create, create_all, validate
from service.users.names import (
    MANAGE_USERS,
    MAX_SUBJECT,
    ROLE,
    normalize_provider,
    normalize_role,
    normalize_subject,
    normalize_username,
)
from service.users.read import (
    User,
    existing_usernames,
    find_by_id,
    find_by_username,
    get_by_id,
    get_by_username,
    list_roles,
    role_by_id,
    role_ids,
)
from service.users.roles import create_role, delete_role
from service.users.search import SORTS, Query, has_email, page
from service.users.update import (
    delete,
    grant,
    revoke,
    set_disabled,
    sign_out,
    sign_out_all,
    sign_out_by_token,
    update,
)

__all__ = [
    "MANAGE_USERS",
    "MAX_SUBJECT",
    "ROLE",
    "SORTS",
    "NewUser",
    "Query",
    "User",
    "adapted_username",
    "create",
    "create_all",
    "create_role",
    "delete",
    "delete_role",
    "existing_usernames",
    "find_by_id",
    "find_by_username",
    "get_by_id",
    "get_by_username",
    "grant",
    "has_email",
    "list_roles",
    "normalize_provider",
    "normalize_role",
    "normalize_subject",
    "normalize_username",
    "page",
    "revoke",
    "role_by_id",
    "role_ids",
    "set_disabled",
    "sign_out",
    "sign_out_all",
    "sign_out_by_token",
    "update",
    "validate",
]
