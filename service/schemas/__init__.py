"""JSON bodies, forms and queries, read strictly: every fault is listed at once.

The models take a tenth of a second and 8 MB, so they are loaded at the first request that has one.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.schemas.account import PasswordChange, PasswordRules, password_change
    from service.schemas.base import ID, Reader, T
    from service.schemas.forms import form
    from service.schemas.links import (
        NewPassword,
        invitation,
        link_passkey,
        link_purpose,
        link_user,
        new_password,
        new_user_password,
    )
    from service.schemas.messages import in_words
    from service.schemas.passkeys import (
        passkey_creation,
        passkey_name,
        passkey_removal,
        passkey_sign_in,
    )
    from service.schemas.queries import audit_query, cursor, nothing, user_query
    from service.schemas.sign_in import (
        PasswordSignIn,
        code_setup,
        password_sign_in,
        reauthentication,
        second_factor,
    )
    from service.schemas.user_input import Identity, edited, identity, patch, role, seen, user

__all__ = [
    "ID",
    "Identity",
    "NewPassword",
    "PasswordChange",
    "PasswordRules",
    "PasswordSignIn",
    "Reader",
    "T",
    "audit_query",
    "code_setup",
    "cursor",
    "edited",
    "form",
    "identity",
    "in_words",
    "invitation",
    "link_passkey",
    "link_purpose",
    "link_user",
    "new_password",
    "new_user_password",
    "nothing",
    "passkey_creation",
    "passkey_name",
    "passkey_removal",
    "passkey_sign_in",
    "password_change",
    "password_sign_in",
    "patch",
    "reauthentication",
    "role",
    "second_factor",
    "seen",
    "user",
    "user_query",
]

_FILES = {
    "account": ("PasswordChange", "PasswordRules", "password_change"),
    "base": ("ID", "Reader", "T"),
    "forms": ("form",),
    "links": (
        "NewPassword",
        "invitation",
        "link_passkey",
        "link_purpose",
        "link_user",
        "new_password",
        "new_user_password",
    ),
    "messages": ("in_words",),
    "passkeys": ("passkey_creation", "passkey_name", "passkey_removal", "passkey_sign_in"),
    "queries": ("audit_query", "cursor", "nothing", "user_query"),
    "sign_in": (
        "PasswordSignIn",
        "code_setup",
        "password_sign_in",
        "reauthentication",
        "second_factor",
    ),
    "user_input": ("Identity", "edited", "identity", "patch", "role", "seen", "user"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name at its first use (PEP 562)."""
    if name not in _FILE_OF:
        raise AttributeError(name)
    value = getattr(importlib.import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    globals()[name] = value
    return value
