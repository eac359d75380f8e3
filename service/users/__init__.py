"""Users and roles: their SQL, and the plain dicts that it becomes.

A user is `{"id", "username", "name", "email", "disabled", "version", "created_at", "updated_at",
"roles"}`; its roles are `[{"id", "role"}, …]`, in the order of their ids. Times are RFC 3339, UTC.
Whatever changes a user counts its `version` up, announces it in the feed and is recorded in the
audit, in the same transaction. The command line and the HTTP side come through the same functions.
"""

from service.users.create import Newcomer, create, create_all, prepare
from service.users.names import (
    MANAGE_USERS,
    canonical,
    canonical_provider,
    canonical_role,
    canonical_subject,
)
from service.users.read import (
    User,
    by_id,
    by_username,
    get,
    list_roles,
    require,
    role_by_id,
    role_ids,
    taken,
)
from service.users.roles import create_role, delete_role
from service.users.search import SORTS, Query, page
from service.users.update import delete, grant, revoke, set_disabled, sign_out, sign_out_all, update

__all__ = [
    "MANAGE_USERS",
    "SORTS",
    "Newcomer",
    "Query",
    "User",
    "by_id",
    "by_username",
    "canonical",
    "canonical_provider",
    "canonical_role",
    "canonical_subject",
    "create",
    "create_all",
    "create_role",
    "delete",
    "delete_role",
    "get",
    "grant",
    "list_roles",
    "page",
    "prepare",
    "require",
    "revoke",
    "role_by_id",
    "role_ids",
    "set_disabled",
    "sign_out",
    "sign_out_all",
    "taken",
    "update",
]
