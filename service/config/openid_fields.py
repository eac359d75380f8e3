"""The table of the settings of an OpenID provider, which each provider has under its name."""

from collections.abc import Callable
from typing import Any, NamedTuple

from service.config import openid_values as values
from service.config import parse, requirements
from service.config.setting import Setting


def full_name(provider: str, suffix: str) -> str:
    """Return the name of a setting of a provider."""
    return f"OIDC_{suffix}" if provider == values.PLAIN else f"OIDC_{provider.upper()}_{suffix}"


class Field(NamedTuple):
    """A field of OpenIdProvider that has a setting, which ends with `suffix`."""

    name: str
    suffix: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str

    def setting(self, provider: str) -> Setting:
        """Return the setting of a provider."""
        name, secret = full_name(provider, self.suffix), self.name == "client_secret"
        return Setting(name, self.parse, self.default, self.meaning, secret=secret)


FIELDS = (
    Field(
        "issuer",
        "ISSUER",
        values.issuer,
        None,
        "the issuer URL, exactly as the provider spells it",
    ),
    Field("client_id", "CLIENT_ID", values.client_id, None, "the client ID from the provider"),
    Field(
        "client_secret",
        "CLIENT_SECRET",
        values.client_secret,
        None,
        "the client secret from the provider, if any",
    ),
    Field(
        "scopes",
        "SCOPES",
        values.scopes,
        "openid profile email",
        "the scopes to request",
    ),
    Field(
        "username_claim",
        "USERNAME_CLAIM",
        values.claim,
        "preferred_username",
        "the claim with the name of a new user",
    ),
    Field("label", "NAME", values.label, None, "the display name of the provider"),
    Field(
        "roles_claim",
        "ROLES_CLAIM",
        values.claim,
        None,
        "the claim with the roles; unset: the provider sets no roles",
    ),
    Field(
        "roles",
        "ROLES",
        parse.role_rules,
        "",
        "the role for each value of that claim: role=value; role=value",
    ),
    Field(
        "require",
        "REQUIRE",
        requirements.parse,
        "",
        "the claims that an account needs to sign in: claim=value; claim=value",
    ),
    Field(
        "authorize_params",
        "AUTHORIZE_PARAMS",
        values.authorize_params,
        "",
        "further parameters of the authorization request: prompt=select_account&hd=example.org",
    ),
    Field(
        "discovery_url",
        "DISCOVERY_URL",
        values.discovery_url,
        None,
        "the URL of the provider's metadata; default: under the issuer",
    ),
    Field(
        "auth_method",
        "TOKEN_ENDPOINT_AUTH_METHOD",
        parse.choice(*values.AUTH_METHODS),
        None,
        "how to authenticate at the token endpoint: client_secret_basic, client_secret_post or"
        " none; default: as the provider's metadata says",
    ),
)
