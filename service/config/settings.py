"""The table of settings: name, field, default and meaning. Documentation and checks read it."""

from collections.abc import Mapping

from service.config import database_url, openid, parse
from service.config.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "ENVIRONMENT",
        parse.choice("development", "test", "production"),
        "production",
        "development, test or production; unset means production",
    ),
    Setting(
        "PUBLIC_URL",
        parse.origin,
        None,
        "the address that browsers see, also `iss`; http://localhost:PORT outside production",
    ),
    Setting("HOST", parse.host, "127.0.0.1", "the address to listen on"),
    Setting("PORT", parse.port, "8080", "the port to listen on"),
    Setting("WORKERS", parse.workers, "1", "processes that share the port"),
    Setting(
        "DATABASE_URL",
        database_url.database,
        "sqlite:///data/latchkey.db",
        "the user database: sqlite:///path, or postgresql://user:password@host:5432/name",
        secret=True,
    ),
    Setting(
        "JWT_SECRET_KEY",
        str,
        None,
        "the HMAC key that signs tokens (HS256), at least 32 bytes",
        secret=True,
    ),
    Setting(
        "JWT_SECRET_KEY_PREVIOUS",
        str,
        None,
        "the key before: it still verifies, and never signs",
        secret=True,
    ),
    Setting(
        "JWT_ALGORITHM",
        parse.choice("HS256", "EdDSA", "ES256", "RS256"),
        "HS256",
        "how tokens are signed: HS256 with the secret, EdDSA, ES256 or RS256 with JWT_KEYS_FILE",
    ),
    Setting("JWT_KEYS_FILE", parse.path, None, "a private JWK Set, made by `key generate`"),
    Setting("JWT_EXPIRES_IN", parse.duration, "6h", "the life of a session and of its tokens"),
    Setting("JWT_AUDIENCE", parse.audience, None, "`aud` to set and to require"),
    Setting(
        "REVOCATION_MAX_STALENESS",
        parse.duration,
        "60s",
        "how long tokens are accepted on what is known while the database is gone",
    ),
    Setting(
        "ALLOWED_REDIRECTS",
        parse.origins,
        "",
        "origins besides our own that `next` may lead to, separated by commas",
    ),
    Setting("COOKIE_NAME", parse.cookie_name, "jwt", "the name of the session cookie"),
    Setting(
        "COOKIE_DOMAIN",
        parse.domain,
        None,
        "the domain whose hosts share the cookie; unset: the host of PUBLIC_URL alone",
    ),
    Setting("COOKIE_SAMESITE", parse.samesite, "Strict", "Strict or Lax"),
    Setting("COOKIE_SECURE", parse.boolean, "true", "false is refused in production"),
    Setting("BYPASS_AUTH", parse.boolean, "false", "the development sign-in; never in production"),
    Setting(
        "BYPASS_NETWORKS",
        parse.networks,
        "127.0.0.0/8,::1/128",
        "who may use the development sign-in",
    ),
    Setting(
        "TRUSTED_PROXIES",
        parse.networks,
        "",
        "networks whose X-Forwarded-* and X-Original-* headers count",
    ),
    Setting(
        "PROVISION_USERS",
        parse.boolean,
        "false",
        "create unknown people at their first sign-in at a provider",
    ),
    Setting("CAS_URL", parse.address, None, "the CAS server, which switches CAS sign-in on"),
    Setting(
        "CAS_SERVICE_URL",
        parse.origin,
        None,
        "our address as the CAS server knows it; PUBLIC_URL, unless that differs",
    ),
    Setting("CAS_VERSION", parse.choice("3.0", "2.0"), "3.0", "the version of the CAS protocol"),
    Setting("CAS_RENEW", parse.boolean, "false", "whether the CAS server asks everybody anew"),
    Setting(
        "CAS_TRUST_USERNAMES",
        parse.boolean,
        "false",
        "whether the CAS name is the user name here",
    ),
    Setting(
        "CAS_ROLES_ATTRIBUTE",
        parse.audience,
        None,
        "the attribute that tells roles; unset, the provider tells none",
    ),
    Setting(
        "CAS_ROLES",
        parse.role_rules,
        "",
        "which role a value of CAS_ROLES_ATTRIBUTE gives: role=value; role=value",
    ),
    *openid.SETTINGS,
    Setting(
        "LOG_LEVEL",
        parse.choice("debug", "info", "warning", "error"),
        "info",
        "debug, info, warning or error",
    ),
    Setting(
        "LOG_FORMAT",
        parse.choice("text", "json"),
        None,
        "text or json; json in production, else text",
    ),
)

NAMES = tuple(setting.name for setting in SETTINGS)
SECRETS = frozenset(setting.name for setting in SETTINGS if setting.secret)


def known(source: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return every setting that there is, those of the providers that `source` names included."""
    return (*SETTINGS, *openid.of_named(source.get(openid.PROVIDERS, "")))


NOT_YET: dict[str, str | None] = {
    "PASSWORD_AUTH": "false",
    "PASSKEY_AUTH": "false",
}
"""Settings of later versions, with the one value that means the same as leaving them out."""

PREFIXES = ("JWT_", "BYPASS_", "COOKIE_", "TRUSTED_", "ALLOWED_", "REVOCATION_", "PROVISION_",
            "CAS_", "OIDC_", "PASSKEY_")  # fmt: skip
"""A name that begins like this and is not a setting is taken for a misspelt one."""
